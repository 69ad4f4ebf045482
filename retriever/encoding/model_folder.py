"""What a saved model folder says of itself: the sentence-transformers layout, plus ``encoder.json`` for what that lacks.

``encoder.json`` holds every field of ``EncoderSettings`` and wins; a folder without it is read from its
sentence-transformers files; DPR's folders declare themselves by their architecture; any other plain Hugging Face folder
declares nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from retriever.choices import PassageFormat, PoolingMode, Similarity, TextRole
from retriever.data.files import read_json, read_json_object, write_json
from retriever.encoding.checkpoints import read_dpr_encoder
from retriever.errors import InputError

FORMAT_VERSION = 1
SETTINGS_FILE = "encoder.json"
MODULES_FILE = "modules.json"
DUAL_ENCODER_FILE = "dual_encoder.json"

TANH, IDENTITY = "torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity"
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {TANH: torch.tanh, IDENTITY: lambda states: states}

LAYERS_AVERAGED: dict[PoolingMode, tuple[int, int]] = {"first_last_mean": (0, -1), "top2_mean": (-2, -1)}
"""Which transformer layers a pooling averages, for sentence-transformers' WeightedLayerPooling (0: the first layer)."""


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """Everything about an encoder that is not in its weights or its tokenizer.

    Attributes:
        pooling: how token states become one embedding.
        normalize: embeddings leave the encoder with unit length.
        similarity: how two of its embeddings are compared.
        max_length: texts are cut at this many tokens.
        query_max_length: questions are cut at this many tokens; None: at ``max_length``.
        passage_format: how title and text of a passage become one input.
        prompts: text put before the input, by role: query, passage, default (no role given).
        lowercase: lower-case texts before the tokenizer sees them (sentence-transformers' ``do_lower_case``).
        head_activation: name of the activation after the head's linear layer; None: no head.
        head_train_only: the head is used in training and skipped in inference (SimCSE, table 6); never saved.
        role: query or passage, where this is one of two encoders and embeds nothing else; None: it embeds both.
    """

    pooling: PoolingMode
    normalize: bool = False
    similarity: Similarity = "cosine"
    max_length: int = 512
    query_max_length: int | None = None
    passage_format: PassageFormat = "{title}. {text}"
    prompts: Mapping[str, str] = field(default_factory=dict)
    lowercase: bool = False
    head_activation: str | None = None
    head_train_only: bool = False
    role: TextRole | None = None


def read_settings(folder: Path) -> EncoderSettings | None:
    """What the folder declares; None for a plain Hugging Face folder, which declares nothing.

    Raises:
        InputError: the folder declares something that this encoder cannot do.
    """
    if (folder / SETTINGS_FILE).is_file():
        values = read_json_object(folder / SETTINGS_FILE)
        version = values.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise InputError(
                f"format version {version}, this program reads {FORMAT_VERSION}", path=folder / SETTINGS_FILE
            )
        try:
            settings = EncoderSettings(**values)
        except TypeError as error:
            raise InputError(
                f"not the settings of an encoder ({error})", path=folder / SETTINGS_FILE
            ) from None
        _check(settings, folder / SETTINGS_FILE)
        return settings
    if (folder / MODULES_FILE).is_file():
        return _read_sentence_transformers(folder)
    dpr = read_dpr_encoder(folder)
    return (
        None
        if dpr is None
        else EncoderSettings(
            pooling="cls",
            similarity="dot",
            max_length=dpr.max_length,
            passage_format="pair",
            head_activation=IDENTITY if dpr.projection else None,
            role=dpr.role,
        )
    )


def _check(settings: EncoderSettings, file: Path) -> None:
    """Every value is one that this program knows: a file may have been edited, or be of a later version."""
    choices = {
        "pooling": get_args(PoolingMode),
        "similarity": get_args(Similarity),
        "passage_format": get_args(PassageFormat),
        "head_activation": (None, *ACTIVATIONS),
        "normalize": (True, False),
        "lowercase": (True, False),
        "head_train_only": (False,),
        "role": (None, *get_args(TextRole)),
    }
    for name, known in choices.items():
        if getattr(settings, name) not in known:
            listed = ", ".join(map(str, known))
            raise InputError(f"{name} '{getattr(settings, name)}' is not known (known: {listed})", path=file)
    for name in ("max_length", "query_max_length"):
        value = getattr(settings, name)
        if not isinstance(value, int) and (value is not None or name == "max_length"):
            raise InputError(f"{name} must be a whole number, got {value!r}", path=file)
    if not isinstance(settings.prompts, dict) or not all(
        isinstance(each, str) for each in settings.prompts.values()
    ):
        raise InputError("prompts must be an object of strings", path=file)


def transformer_folder(folder: Path) -> Path:
    """Where the weights and the tokenizer lie; sentence-transformers may put them into a subfolder."""
    if (folder / MODULES_FILE).is_file():
        return folder / modules_of(folder).get("Transformer", "")
    return folder


def write_settings(
    folder: Path, settings: EncoderSettings, *, hidden_size: int, num_layers: int, head: nn.Linear | None
) -> None:
    """Write ``encoder.json`` and the files that sentence-transformers reads, so that it gives the same vectors."""
    write_json(folder / SETTINGS_FILE, {"format_version": FORMAT_VERSION, **asdict(settings)})
    modules = [("", "Transformer")]
    if settings.pooling in LAYERS_AVERAGED:
        modules.append(("1_WeightedLayerPooling", "WeightedLayerPooling"))
        layers = {"word_embedding_dimension": hidden_size, "layer_start": 1, "num_hidden_layers": num_layers}
        write_json(_made(folder / modules[-1][0]) / "config.json", layers)
        weights = torch.zeros(num_layers)
        for layer in LAYERS_AVERAGED[settings.pooling]:
            weights[layer] += 1
        save_file({"layer_weights": weights}, folder / modules[-1][0] / "model.safetensors")
    modules.append((f"{len(modules)}_Pooling", "Pooling"))
    write_json(
        _made(folder / modules[-1][0]) / "config.json",
        {
            "word_embedding_dimension": hidden_size,
            "pooling_mode_cls_token": settings.pooling == "cls",
            "pooling_mode_mean_tokens": settings.pooling != "cls",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    if head is not None:
        modules.append((f"{len(modules)}_Dense", "Dense"))
        dense = {
            "in_features": head.in_features,
            "out_features": head.out_features,
            "bias": head.bias is not None,
            "activation_function": settings.head_activation,
        }
        write_json(_made(folder / modules[-1][0]) / "config.json", dense)
        linear = {
            f"linear.{name}": each.detach().cpu().contiguous() for name, each in head.state_dict().items()
        }
        save_file(linear, folder / modules[-1][0] / "model.safetensors")
    if settings.normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
        _made(folder / modules[-1][0])
    listed = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(modules)
    ]
    write_json(folder / MODULES_FILE, listed)
    own_length = settings.query_max_length if settings.role == "query" else None
    lengths = {"max_seq_length": own_length or settings.max_length, "do_lower_case": settings.lowercase}
    write_json(folder / "sentence_bert_config.json", lengths)
    prompts = {"query": settings.prompts.get("query", ""), "document": settings.prompts.get("passage", "")}
    default = settings.prompts.get("default")
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {**prompts, **({"default": default} if default else {})},
            "default_prompt_name": "default" if default else None,
            "similarity_fn_name": settings.similarity,
        },
    )


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def modules_of(folder: Path) -> dict[str, str]:
    """Kind of module → its path, of those that this encoder knows; any other kind is an error."""
    listed = read_json(folder / MODULES_FILE)
    if not isinstance(listed, list) or not all(isinstance(each, dict) and "type" in each for each in listed):
        raise InputError("expected a list of modules", path=folder / MODULES_FILE)
    kinds = [str(each["type"]).rsplit(".", 1)[-1] for each in listed]
    known = ["Transformer", "WeightedLayerPooling", "Pooling", "Dense", "Normalize"]
    for kind in kinds:
        if kind not in known:
            raise InputError(
                f"module '{kind}' is not supported (known: {', '.join(known)})", path=folder / MODULES_FILE
            )
    if kinds != [kind for kind in known if kind in kinds] or not {"Transformer", "Pooling"} <= set(kinds):
        raise InputError(
            f"modules {', '.join(kinds)}: expected each once, in the order {', '.join(known)}", path=folder
        )
    return {kind: str(each.get("path", "")) for kind, each in zip(kinds, listed, strict=True)}


def _read_sentence_transformers(folder: Path) -> EncoderSettings:
    """Settings from modules.json and the files that it points to."""
    modules = modules_of(folder)
    if "WeightedLayerPooling" in modules:
        raise InputError(
            f"module 'WeightedLayerPooling' needs {SETTINGS_FILE} beside it", path=folder / MODULES_FILE
        )
    top = folder / "config_sentence_transformers.json"
    declared = read_json_object(top) if top.is_file() else {}
    similarity: Any = declared.get("similarity_fn_name") or "cosine"
    if similarity not in get_args(Similarity):
        raise InputError(f"similarity '{similarity}' is not supported (known: cosine, dot)", path=top)
    prompts = declared.get("prompts") or {}
    default = declared.get("default_prompt_name")
    by_role = {
        "query": prompts.get("query", ""),
        "passage": prompts.get("document") or prompts.get("passage", ""),
        "default": prompts.get(default, "") if default else "",
    }
    file = folder / modules["Transformer"] / "sentence_bert_config.json"
    transformer = read_json_object(file) if file.is_file() else {}
    settings = EncoderSettings(
        pooling=_read_pooling(folder / modules["Pooling"] / "config.json"),
        normalize="Normalize" in modules,
        similarity=similarity,
        max_length=transformer.get("max_seq_length") or 0,  # 0: as long as the transformer takes
        prompts={role: prompt for role, prompt in by_role.items() if prompt},
        lowercase=bool(transformer.get("do_lower_case", False)),
    )
    return (
        settings
        if "Dense" not in modules
        else replace(settings, head_activation=_read_activation(folder, modules))
    )


def _read_activation(folder: Path, modules: Mapping[str, str]) -> str:
    """The Dense module's activation function."""
    file = folder / modules["Dense"] / "config.json"
    activation = str(read_json_object(file).get("activation_function"))
    if activation not in ACTIVATIONS:
        raise InputError(
            f"activation '{activation}' is not supported (known: {', '.join(ACTIVATIONS)})", path=file
        )
    return activation


def _read_pooling(file: Path) -> PoolingMode:
    """The pooling of ``1_Pooling/config.json``, in its old spelling (booleans) or its new one (a name)."""
    values = read_json_object(file)
    if values.get("include_prompt", True) is False:
        raise InputError("pooling without the prompt's tokens is not supported", path=file)
    named = values.get("pooling_mode", [])
    chosen = [*named] if isinstance(named, list) else [str(named)]
    chosen += [name for name, on in values.items() if name.startswith("pooling_mode_") and on]
    modes: dict[str, PoolingMode] = {
        "cls": "cls",
        "mean": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_mean_tokens": "mean",
    }
    if len(chosen) != 1 or chosen[0] not in modes:
        raise InputError(
            f"pooling {', '.join(map(str, chosen)) or 'none'} is not supported (known: cls, mean)", path=file
        )
    return modes[chosen[0]]
