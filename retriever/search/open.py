"""From an index folder to a searcher, with the model that the index was built with and no other."""

import logging
from pathlib import Path

from retriever.choices import Precision, SearchMode
from retriever.errors import InputError
from retriever.index.opened import OpenIndex
from retriever.protocols import Searcher

logger = logging.getLogger(__name__)


def open_searcher(
    index: str | Path | OpenIndex,
    *,
    mode: SearchMode = "dense",
    model: str | None = None,
    passage_model: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> Searcher:
    """A searcher over an index folder.

    Args:
        index: the index folder, or one that is open already: its passages and its vectors are then of the same moment.
        mode: dense, bm25, or hybrid (reciprocal rank fusion of both).
        model: the query encoder; None: the one that the manifest names.
        passage_model: the passages' encoder when it is another model; None: the one that the manifest names, if any.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, bf16 or fp32.

    Raises:
        InputError: no index, no BM25 in it when asked for, or a model that the index was not built with.
    """
    opened = index if isinstance(index, OpenIndex) else OpenIndex.open(Path(index))
    if mode != "dense" and not opened.manifest.bm25:
        raise InputError(f"built without --bm25, so mode {mode} cannot be had", path=opened.path)
    if mode == "bm25":
        return _bm25(opened)
    dense = _dense(opened, model, passage_model, device, precision)
    if mode == "dense":
        return dense
    from retriever.search.hybrid import HybridSearcher

    return HybridSearcher([dense, _bm25(opened)])


def _bm25(opened: OpenIndex) -> Searcher:
    from retriever.lexical.bm25 import Bm25Searcher

    return Bm25Searcher.load(opened.generation.bm25)


def _dense(
    opened: OpenIndex,
    name: str | None,
    passage_name: str | None,
    device: str,
    precision: Precision,
) -> Searcher:
    from retriever.index.model import load_model
    from retriever.index.vectors import SegmentedVectors
    from retriever.search.dense import DenseSearcher

    model = load_model(
        opened.path,
        opened.manifest,
        model=name,
        passage_model=passage_name,
        device=device,
        precision=precision,
    )
    logger.info(model.describe())
    if opened.manifest.recall is not None:
        logger.info("approximate search: %s", opened.manifest.describe_recall())
    return DenseSearcher(model.encode_queries, SegmentedVectors.of(opened, model.query.device))
