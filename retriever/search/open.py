"""From an index folder to a searcher, with the model that the index was built with and no other."""

import logging
from pathlib import Path

from retriever.choices import Precision, SearchMode
from retriever.errors import InputError
from retriever.index.layout import Manifest, current_generation, read_manifest
from retriever.protocols import Searcher

logger = logging.getLogger(__name__)


def open_searcher(
    index: str | Path,
    *,
    mode: SearchMode = "dense",
    model: str | None = None,
    passage_model: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> Searcher:
    """A searcher over an index folder.

    Args:
        index: the index folder.
        mode: dense, bm25, or hybrid (reciprocal rank fusion of both).
        model: the query encoder; None: the one that the manifest names.
        passage_model: the passages' encoder when it is another model; None: the one that the manifest names, if any.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, bf16 or fp32.

    Raises:
        InputError: no index, no BM25 in it when asked for, or a model that the index was not built with.
    """
    index = Path(index)
    manifest = read_manifest(index)
    if mode != "dense" and not manifest.bm25:
        raise InputError(f"built without --bm25, so mode {mode} cannot be had", path=index)
    if mode == "bm25":
        return _bm25(index)
    dense = _dense(index, manifest, model, passage_model, device, precision)
    if mode == "dense":
        return dense
    from retriever.search.hybrid import HybridSearcher

    return HybridSearcher([dense, _bm25(index)])


def _bm25(index: Path) -> Searcher:
    from retriever.lexical.bm25 import Bm25Searcher

    return Bm25Searcher.load(current_generation(index).bm25)


def _dense(
    index: Path,
    manifest: Manifest,
    name: str | None,
    passage_name: str | None,
    device: str,
    precision: Precision,
) -> Searcher:
    from retriever.data.arrow import PassageTable
    from retriever.encoding.device import choose_device, choose_precision
    from retriever.encoding.dual_encoder import DualEncoder
    from retriever.index.faiss_index import FaissIndex
    from retriever.search.dense import DenseSearcher

    choose_precision(precision, choose_device(device))  # a device that is missing is not the model's fault
    asked = name or manifest.model.locate(index)
    passages = passage_name or manifest.model.locate_passage_model(index)
    pooling = manifest.model.pooling
    try:
        model = DualEncoder.load(asked, passages, pooling=pooling, device=device, precision=precision)
    except InputError as error:
        if name is not None or passage_name is not None:
            raise
        also = "" if passages is None else " and --passage-model"
        raise InputError(
            f"was built with model '{manifest.model.name}', which cannot be opened ({error}): pass --model{also}",
            path=index,
        ) from None
    if model.dimension != manifest.dimension:
        raise InputError(
            f"built with dimension {manifest.dimension}, model '{asked}' gives {model.dimension}", path=index
        )
    if model.fingerprint != manifest.model.fingerprint:
        raise InputError(
            f"built with model '{manifest.model.name}' (fingerprint {manifest.model.fingerprint[:12]}), "
            f"but model '{asked}' has fingerprint {model.fingerprint[:12]}: build the index again, or pass the model it was built with",
            path=index,
        )
    logger.info(model.describe())
    generation = current_generation(index)
    vectors = FaissIndex.load(generation.segment, PassageTable(generation.passages).ids())
    return DenseSearcher(model.encode_queries, vectors)
