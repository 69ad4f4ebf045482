"""The linear layer over the pooled embedding: where each kind of folder keeps it, and whether it is asked for."""

import logging
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from retriever.choices import PoolingRequest
from retriever.encoding.checkpoints import SIMCSE_MLP, find_mlp, read_dpr_encoder, weight_files
from retriever.encoding.model_folder import MODULES_FILE, TANH, EncoderSettings, modules_of
from retriever.errors import InputError

logger = logging.getLogger(__name__)


def asked_settings(folder: Path, pooling: PoolingRequest | None, name: str) -> EncoderSettings:
    """Settings of a plain Hugging Face folder, which declares none: those that the user asks for.

    Args:
        folder: the model.
        pooling: what the user asks for; ``cls_head`` is [CLS] through the MLP that SimCSE trained with it.
        name: what the user calls the model.

    Raises:
        InputError: nothing was asked for, or an MLP that is not there.
    """
    mlp = find_mlp(folder)
    if pooling is None and mlp == SIMCSE_MLP:
        raise InputError(
            f"model '{name}' was trained with SimCSE's MLP and does not say whether it embeds with it: pass --pooling "
            "cls_head (with it, as supervised SimCSE does) or cls (without it, as unsupervised SimCSE does)"
        )
    if pooling is None:
        raise InputError(
            f"model '{name}' does not say how it pools: pass --pooling (cls or mean, see its card)"
        )
    if pooling != "cls_head":
        if mlp == SIMCSE_MLP:
            logger.info("%s: the MLP that it was trained with is left out (--pooling %s)", name, pooling)
        return EncoderSettings(pooling=pooling, max_length=0)
    if mlp is None:
        raise InputError(
            f"model '{name}' has no MLP over [CLS] (mlp.dense, or a base model's pooler.dense): pass --pooling cls or mean"
        )
    return EncoderSettings(pooling="cls", max_length=0, head_activation=TANH)


def read_head(folder: Path, settings: EncoderSettings) -> nn.Linear | None:
    """The linear layer over the pooled embedding, if the settings have one: the Dense module's, DPR's or SimCSE's."""
    if not (folder / MODULES_FILE).is_file():
        if settings.head_activation is None:
            return None
        dpr = read_dpr_encoder(folder)
        own = find_mlp(folder) if dpr is None else dpr.projection
        if own is None:
            raise InputError("the weights of the head that its settings name are not there", path=folder)
        return _read_linear(folder, own)
    if "Dense" not in (modules := modules_of(folder)):
        return None
    file = folder / modules["Dense"] / "model.safetensors"
    if not file.is_file():
        raise InputError("no such file (the head's weights; pickled ones are not read)", path=file)
    try:
        weights = load_file(file)
    except SafetensorError as error:
        raise InputError(f"not the weights of a linear layer ({error})", path=file) from None
    return _make_linear({name.removeprefix("linear."): each for name, each in weights.items()}, file)


def _read_linear(folder: Path, name: str) -> nn.Linear:
    """A linear layer among the weights of a folder, by name."""
    files = weight_files(folder)
    weights = {}
    for part in ("weight", "bias"):
        if (key := f"{name}.{part}") in files:
            with safe_open(files[key], framework="pt") as opened:
                weights[part] = opened.get_tensor(key)
    return _make_linear(weights, folder)


def _make_linear(weights: Mapping[str, Tensor], source: Path) -> nn.Linear:
    """A linear layer from its ``weight`` and, perhaps, ``bias``.

    Raises:
        InputError: the weights are those of something else.
    """
    try:
        out_features, in_features = weights["weight"].shape
        layer = nn.Linear(in_features, out_features, bias="bias" in weights)
        layer.load_state_dict(dict(weights))
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"not the weights of a linear layer ({reason})", path=source) from None
    return layer
