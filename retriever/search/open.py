"""From an index folder to a searcher, with the model that the index was built with and no other."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from retriever.choices import Precision, SearchMode
from retriever.errors import InputError
from retriever.index.opened import OpenIndex
from retriever.protocols import LexicalSearcher, Searcher
from retriever.search.fusion import Fusion
from retriever.search.hybrid import HybridSearcher, choose_fusion

if TYPE_CHECKING:
    from retriever.index.faiss_index import FaissIndex

logger = logging.getLogger(__name__)


def open_searcher(
    index: str | Path,
    *,
    mode: SearchMode = "dense",
    fusion: Fusion | None = None,
    model: str | None = None,
    passage_model: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> Searcher:
    """A searcher over an index folder.

    Args:
        index: the index folder.
        mode: dense, bm25, or hybrid (both, fused).
        fusion: of mode hybrid; None: what the index was tuned to (``ctl tune-fusion``), else the default.
        model: the query encoder; None: the one that the manifest names.
        passage_model: the passages' encoder when it is another model; None: the one that the manifest names, if any.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, bf16 or fp32.

    Raises:
        InputError: no index, no BM25 in it when asked for, or a model that the index was not built with.
    """
    searcher, _ = open_index(
        Path(index),
        mode=mode,
        fusion=None if fusion is None else fusion.to_json(),
        model=model,
        passage_model=passage_model,
        device=device,
        precision=precision,
    )
    return searcher


def open_index(
    index: Path,
    *,
    mode: SearchMode,
    fusion: Mapping[str, object] | None = None,
    model: str | None = None,
    passage_model: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> tuple[Searcher, OpenIndex]:
    """As ``open_searcher``, with the passages of the same moment: the files of both are opened before the model is loaded.

    ``fusion`` holds those attributes of a ``Fusion`` that are not to be the index's own.
    """
    if fusion and mode != "hybrid":
        raise ValueError(f"a fusion is of mode hybrid, and the mode is {mode}")
    opened, vectors, lexical = OpenIndex.open_with(index, lambda opened: _files_of(opened, mode))
    if vectors is None:
        return cast(Searcher, lexical), opened
    # what may be refused is, before the model is loaded
    hybrid = None if lexical is None else choose_fusion(opened.manifest.fusion, fusion or {})
    from retriever.index.model import load_model
    from retriever.index.vectors import SegmentedVectors
    from retriever.search.dense import DenseSearcher

    loaded = load_model(
        opened.path,
        opened.manifest,
        model=model,
        passage_model=passage_model,
        device=device,
        precision=precision,
    )
    logger.info(loaded.describe())
    if opened.manifest.recall is not None:
        logger.info("approximate search: %s", opened.manifest.describe_recall())
    of_segments = SegmentedVectors.of(opened, vectors, loaded.query.device)
    dense = DenseSearcher(loaded.encode_queries, of_segments)
    if lexical is None or hybrid is None:
        return dense, opened
    return HybridSearcher(dense, lexical, hybrid), opened


def _files_of(
    opened: OpenIndex, mode: SearchMode
) -> "tuple[OpenIndex, list[FaissIndex] | None, LexicalSearcher | None]":
    """The vectors and the BM25 index, as far as the mode needs them."""
    if mode != "dense" and not opened.manifest.bm25:
        raise InputError(f"built without --bm25, so mode {mode} cannot be had", path=opened.path)
    vectors = lexical = None
    if mode != "dense":
        from retriever.index.bm25 import open_bm25

        lexical = open_bm25(opened)
    if mode != "bm25":
        from retriever.index.vectors import map_vectors

        vectors = map_vectors(opened)
    return opened, vectors, lexical
