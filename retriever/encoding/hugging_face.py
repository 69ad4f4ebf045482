"""Loading a Hugging Face transformer and its tokenizer from a folder: safetensors only, nothing missing, no foreign code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from retriever.encoding.checkpoints import DprEncoder, check_left_out, read_dpr_encoder, safetensors_files
from retriever.errors import InputError

SAFE: dict[str, Any] = {"trust_remote_code": False}
"""Unset, transformers would ask on stdin, and "y" would run it."""

LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, SafetensorError, StrictDataclassError)


def load_transformer(folder: Path, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Transformer (without a pooler: it is never read) and tokenizer; nothing missing, no code from the folder."""
    safetensors_files(folder)
    dpr = read_dpr_encoder(folder)
    options = {**SAFE, "output_loading_info": True, "use_safetensors": True, "dtype": torch.float32}
    try:
        with quiet_transformers():
            if dpr is not None:
                transformer, report = _load_dpr(folder, dpr, options)
            else:
                transformer, report = _load_any(folder, options)
    except LOADING_ERRORS as error:
        raise _not_loaded(folder, error) from error
    tokenizer = load_tokenizer(folder)
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing or report["mismatched_keys"]:
        names = ", ".join([*missing, *map(str, report["mismatched_keys"])][:3])
        raise InputError(
            f"weights are missing or of another shape, they would be random: {names} …", path=folder
        )
    taken = f"{dpr.projection}." if dpr is not None and dpr.projection else ()
    left_out = (name for name in report["unexpected_keys"] if not name.startswith(taken))
    check_left_out(left_out, transformer, folder)
    return transformer, tokenizer


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer alone; no code from the folder."""
    try:
        with quiet_transformers():
            if read_dpr_encoder(folder) is not None:
                # DPR's own tokenizer classes are BERT's, but lower-case whatever their do_lower_case says
                tokenizer = BertTokenizer.from_pretrained(folder)
            else:
                tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE)
    except LOADING_ERRORS as error:
        raise _not_loaded(folder, error) from error
    _require_vocabulary(folder, tokenizer)
    return tokenizer


def _not_loaded(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"cannot be loaded as a Hugging Face encoder: {str(error).splitlines()[0]}", path=folder
    )


def _require_vocabulary(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Without its files transformers makes a tokenizer that knows no word, and says nothing."""
    names = tokenizer.vocab_files_names.values()  # none: a tokenizer of bytes, which needs no file
    if names and not any((folder / name).is_file() for name in {*names, "tokenizer.json", "tokenizer.model"}):
        raise InputError(f"no tokenizer (none of {', '.join(sorted(names))})", path=folder)


def _load_any(folder: Path, options: dict[str, Any]) -> Any:  # noqa: ANN401  (transformers' types say less)
    """The transformer of the class that ``config.json`` names, and the report on its weights."""
    try:
        return AutoModel.from_pretrained(folder, add_pooling_layer=False, **options)
    except TypeError:  # architectures without a pooler do not know the argument
        return AutoModel.from_pretrained(folder, **options)


def _load_dpr(folder: Path, dpr: DprEncoder, options: dict[str, Any]) -> Any:  # noqa: ANN401  (as above)
    """The BERT inside a DPR encoder, as a BERT of its own: AutoModel takes every DPR folder for a question encoder.

    The names are changed here: transformers' own ``key_mapping`` would change them back when the BERT is saved.
    """
    own = ("model_type", "architectures", "projection_dim")
    config = BertConfig.from_dict({name: value for name, value in dpr.config.items() if name not in own})
    weights = {
        name.removeprefix(f"{dpr.prefix}.bert_model."): each
        for file in safetensors_files(folder)
        for name, each in load_file(file).items()
    }
    return BertModel.from_pretrained(
        None, config=config, state_dict=weights, add_pooling_layer=False, **options
    )


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
