"""The model that an index was built with, and no other."""

from pathlib import Path

from retriever.choices import Precision
from retriever.config.index import IndexModelConfig
from retriever.encoding.device import choose_device, choose_precision
from retriever.encoding.dual_encoder import DualEncoder
from retriever.errors import InputError
from retriever.index.layout import Manifest


def model_of(config: IndexModelConfig, manifest: Manifest, *, for_passages: bool = False) -> DualEncoder:
    """``load_model`` as a config names it."""
    return load_model(
        config.index,
        manifest,
        model=config.model,
        passage_model=config.passage_model,
        device=config.device,
        for_passages=for_passages,
    )


def load_model(
    index: Path,
    manifest: Manifest,
    *,
    model: str | None = None,
    passage_model: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    for_passages: bool = False,
) -> DualEncoder:
    """Load the model that the manifest names, or another one that turns out to be the same.

    Args:
        index: the index folder.
        manifest: of its generation in force.
        model: the query encoder; None: the one that the manifest names.
        passage_model: the passages' encoder when it is another model; None: the one that the manifest names, if any.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, bf16 or fp32.
        for_passages: passages will be encoded, as those of the index were: same length, format and, unless asked otherwise, precision.

    Raises:
        InputError: it is not there, or has another fingerprint.
    """
    choose_precision(precision, choose_device(device))  # a device that is missing is not the model's fault
    reference = manifest.model
    asked = model or reference.locate(index)
    passages = passage_model or reference.locate_passage_model(index)
    try:
        found = DualEncoder.load(
            asked,
            passages,
            pooling=reference.pooling,
            max_length=manifest.max_length if for_passages else None,
            passage_format=manifest.passage_format if for_passages else None,
            device=device,
            precision=manifest.precision if for_passages and precision == "auto" else precision,
        )
    except InputError as error:
        if model is not None or passage_model is not None:
            raise
        also = "" if passages is None else " and --passage-model"
        raise InputError(
            f"was built with model '{reference.name}', which cannot be opened ({error}): pass --model{also}",
            path=index,
        ) from None
    if found.dimension != manifest.dimension:
        raise InputError(
            f"built with dimension {manifest.dimension}, model '{asked}' gives {found.dimension}", path=index
        )
    if found.fingerprint != reference.fingerprint:
        raise InputError(
            f"built with model '{reference.name}' (fingerprint {reference.fingerprint[:12]}), "
            f"but model '{asked}' has fingerprint {found.fingerprint[:12]}: build the index again, or pass the model it was built with",
            path=index,
        )
    return found
