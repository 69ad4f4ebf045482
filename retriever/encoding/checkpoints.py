"""Hugging Face folders that hold more of an encoder than its transformer: DPR's two encoders, and SimCSE's MLP.

What a folder holds is read from ``config.json`` and from the names of its weights, never from the folder's own name.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from retriever.choices import TextRole
from retriever.data.files import read_json_object
from retriever.errors import InputError

logger = logging.getLogger(__name__)

DPR_ENCODERS: dict[str, tuple[str, TextRole]] = {
    "DPRQuestionEncoder": ("question_encoder", "query"),
    "DPRContextEncoder": ("ctx_encoder", "passage"),
}
"""Architecture → prefix of its weights, and what it embeds."""

DPR_MAX_LENGTH = 256
"""Tokens per text in DPR's own code, questions and passages alike."""

SIMCSE_MLP = "mlp.dense"
"""SimCSE's MLP as its training script saves it (BertForCL, RobertaForCL)."""

POOLER = "pooler.dense"
"""The same layer where SimCSE's conversion puts it; only a base model (BertModel) has it without a prefix."""

POOLER_IS_LINEAR_AND_TANH = ("bert", "roberta", "xlm-roberta")
"""Types of model whose pooler computes what SimCSE's MLP does: tanh of a linear layer over [CLS]."""

TASK_HEADS = set(
    "pooler cls lm_head mlp classifier qa_outputs score head decoder predictions sop_classifier vocab_transform "
    "vocab_layer_norm vocab_projector generator_predictions generator_lm_head discriminator_predictions "
    "lm_predictions mask_predictions pred_layer pre_classifier".split()
)
"""Modules of other tasks: their weights are no part of an embedding (``mlp`` is left out only when that was asked for)."""


@dataclass(frozen=True)
class DprEncoder:
    """One of DPR's two encoders, as transformers saves it: a BERT, [CLS], and perhaps a linear layer.

    Attributes:
        role: what it embeds.
        prefix: of its weights' names.
        projection: name of the linear layer; None: there is none.
        max_length: tokens per text: DPR's, or as many as there are positions for.
        config: the folder's ``config.json``.
    """

    role: TextRole
    prefix: str
    projection: str | None
    max_length: int
    config: Mapping[str, Any]


def read_dpr_encoder(folder: Path) -> DprEncoder | None:
    """The DPR encoder that lies in a folder; None: something else does.

    Raises:
        InputError: the weights are not those of the encoder that ``config.json`` declares.
    """
    config = read_config(folder)
    if config.get("model_type") != "dpr":
        return None
    names = weight_files(folder)
    architecture = architecture_of(config)
    if architecture not in DPR_ENCODERS:
        known = " and ".join(DPR_ENCODERS)
        raise InputError(f"{architecture} is no encoder of texts ({known} are)", path=folder)
    prefix, role = DPR_ENCODERS[architecture]
    held = sorted({name.partition(".")[0] for name in names})
    if held != [prefix]:
        raise InputError(
            f"config.json declares a {architecture}, whose weights begin with {prefix}, "
            f"but the weights here begin with {', '.join(held)}",
            path=folder,
        )
    projection = f"{prefix}.encode_proj"
    declared = _whole_number(folder, config, "projection_dim", 0)
    positions = _whole_number(folder, config, "max_position_embeddings", DPR_MAX_LENGTH)
    if (declared > 0) != (f"{projection}.weight" in names):
        there = "has no weights for it" if declared else f"has weights of one ({projection})"
        raise InputError(f"config.json declares projection_dim {declared}, the folder {there}", path=folder)
    return DprEncoder(role, prefix, projection if declared else None, min(DPR_MAX_LENGTH, positions), config)


def find_mlp(folder: Path) -> str | None:
    """The name of SimCSE's MLP in a folder: raw, or converted to a pooler; None: there is none."""
    names = weight_files(folder)
    if f"{SIMCSE_MLP}.weight" in names:
        return SIMCSE_MLP
    pooled = read_config(folder).get("model_type") in POOLER_IS_LINEAR_AND_TANH
    return POOLER if pooled and f"{POOLER}.weight" in names else None


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json``; empty where there is none."""
    file = folder / "config.json"
    return read_json_object(file) if file.is_file() else {}


def _whole_number(folder: Path, config: Mapping[str, Any], name: str, default: int) -> int:
    """A number of ``config.json``, or the default where it names none."""
    value = config.get(name, default)
    if not isinstance(value, int):
        raise InputError(f"{name} must be a whole number, got {value!r}", path=folder / "config.json")
    return value


def architecture_of(config: Mapping[str, Any]) -> str:
    """The class that saved the folder, as its ``config.json`` says."""
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else "an architecture without a name"


def safetensors_files(folder: Path) -> list[Path]:
    """The files of the weights: one, or shards.

    Raises:
        InputError: no weights in safetensors format.
    """
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            "no weights in safetensors format (pickled ones are not read): the README says how to convert them",
            path=folder,
        )
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def weight_files(folder: Path) -> dict[str, Path]:
    """Name of each weight → the file that holds it.

    Raises:
        InputError: no weights in safetensors format, or a file that cannot be read.
    """
    found: dict[str, Path] = {}
    for file in safetensors_files(folder):
        try:
            with safe_open(file, framework="pt") as opened:
                found |= dict.fromkeys(opened.keys(), file)
        except (SafetensorError, OSError) as error:
            raise InputError(f"cannot be read as safetensors ({error})", path=file) from None
    return found


def check_left_out(names: Iterable[str], transformer: nn.Module, folder: Path) -> None:
    """Weights that found no place in the transformer: those of other tasks' heads may go, the rest not in silence.

    Raises:
        InputError: they are part of the transformer, so that ``config.json`` describes another one.
    """
    inside = {name for name, _ in transformer.named_children()}
    learned = sorted(name for name in names if name.endswith((".weight", ".bias")))  # not old buffers
    modules = {name: set(name.split(".")[:2]) for name in learned}
    if lost := [name for name, parts in modules.items() if parts & inside]:
        raise InputError(f"config.json has no place for some of the weights: {lost[0]} …", path=folder)
    if unknown := [name for name, parts in modules.items() if not parts & TASK_HEADS]:
        logger.warning("%s: weights that embeddings are made without: %s", folder, ", ".join(unknown[:5]))
