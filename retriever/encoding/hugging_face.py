"""Loading a Hugging Face transformer and its tokenizer from a folder: safetensors only, nothing missing, no foreign code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from retriever.errors import InputError


def load_transformer(folder: Path, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Transformer (without a pooler: it is never read) and tokenizer; nothing missing, no code from the folder."""
    if not any(folder.glob("*.safetensors")):
        pickled = " (only pickled ones, which are not read)" if any(folder.glob("*.bin")) else ""
        raise InputError(f"no weights in safetensors format{pickled}", path=folder)
    safe: dict[str, Any] = {
        "trust_remote_code": False
    }  # unset, transformers would ask on stdin, and "y" would run it
    options = {**safe, "output_loading_info": True, "use_safetensors": True, "dtype": torch.float32}
    try:
        with quiet_transformers():
            try:
                transformer, report = AutoModel.from_pretrained(folder, add_pooling_layer=False, **options)
            except TypeError:  # architectures without a pooler do not know the argument
                transformer, report = AutoModel.from_pretrained(folder, **options)
            tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(
            f"cannot be loaded as a Hugging Face encoder: {str(error).splitlines()[0]}", path=folder
        ) from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing or report["mismatched_keys"]:
        names = ", ".join([*missing, *map(str, report["mismatched_keys"])][:3])
        raise InputError(
            f"weights are missing or of another shape, they would be random: {names} …", path=folder
        )
    return transformer, tokenizer


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and load reports from transformers; what matters in them is checked and said here."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
