"""The vectors of all segments as one index under ids: ``protocols.VectorIndex``. Rows do not leave this folder."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from retriever.errors import InputError
from retriever.index.exact import ExactSearch
from retriever.index.faiss_index import NOTHING, FaissIndex
from retriever.index.opened import OpenIndex, OpenSegment
from retriever.records import Ranking

EXACT_ON = ("cuda",)
"""Kinds of devices on which vectors that are held as they were are compared in torch; elsewhere FAISS is faster."""

LARGEST_COSINE = 1.1
"""More cannot come from rounding to 8 bits."""

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
"""(Q, k) scores and rows, best first."""


class RowIndex(Protocol):
    """Vectors by row: FAISS, or exact search in torch."""

    def search(self, queries: NDArray[np.float32], k: int) -> Found:
        """(Q, D) → at most k scores and rows a query, ``NOTHING`` where fewer were found."""
        ...

    def __len__(self) -> int: ...


class SegmentedVectors:
    """Searches every segment and merges what they find, without what was removed.

    Args:
        index: the opened index folder.
        segments: the vectors of each of its segments.
        mapped: what must not be closed as long as these are searched.
    """

    def __init__(
        self, index: OpenIndex, segments: Sequence[RowIndex], mapped: Sequence[FaissIndex] = ()
    ) -> None:
        self._index, self.mapped = index, mapped
        self._segments = list(zip(segments, index.segments, strict=True))

    @classmethod
    def of(cls, index: OpenIndex, mapped: Sequence[FaissIndex], device: torch.device) -> "SegmentedVectors":
        """What ``map_vectors`` opened; flat vectors are searched on the GPU, where there is one."""
        return cls(index, [_on_device(each, device) for each in mapped], mapped)

    def __len__(self) -> int:
        return len(self._index)

    def search(self, queries: NDArray[np.float32], k: int) -> list[Ranking]:
        """(Q, D) → Q rankings of at most k passages; equal scores in the order in which the passages were added."""
        k = min(k, len(self))
        if not len(queries) or not k:
            return [Ranking((), ()) for _ in queries]
        scores, rows = zip(
            *(
                self._search_segment(vectors, each, queries, k)
                for vectors, each in self._segments
                if self._index.num_live(each)
            ),
            strict=True,
        )
        best = np.concatenate(scores, axis=1)
        if self._index.manifest.similarity == "cosine" and not (highest := best.max()) < LARGEST_COSINE:
            raise InputError(
                f"a passage has a cosine of {highest:.3g}: the index is damaged, ctl index verify tells where",
                path=self._index.path,
            )
        return self._best(best, np.concatenate(rows, axis=1), k)

    def _search_segment(
        self, vectors: RowIndex, segment: OpenSegment, queries: NDArray[np.float32], k: int
    ) -> Found:
        """The best rows of one segment, counted over all."""
        k = min(k, self._index.num_live(segment))
        scores, rows = search_live(vectors, queries, k, partial(self._is_gone, start=segment.start))
        return scores, _shifted(rows, segment.start)

    def _best(self, scores: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> list[Ranking]:
        """(Q, any) scores and rows of all segments → rankings."""
        best = np.lexsort((rows, -scores), axis=1)[:, :k]
        scores, rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
        return self._rankings(scores, rows)

    def _is_gone(self, rows: NDArray[np.int64], start: int) -> NDArray[np.bool_]:
        return (rows == NOTHING) | self._index.is_removed(rows + start)

    def _rankings(self, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> list[Ranking]:
        real = rows != NOTHING  # (Q, k); a row -1 would be the last passage in Python
        ids = iter(self._index.ids_of(rows[real]))
        return [
            Ranking([next(ids) for _ in range(int(own.sum()))], each[own])
            for each, own in zip(scores, real, strict=True)
        ]


def map_vectors(index: OpenIndex) -> list[FaissIndex]:
    """The vectors of each segment, their search turned up as the manifest says."""
    mapped = [FaissIndex.load(each.vectors, each.entry.count) for each in index.segments]
    for each in mapped:
        each.set_search(index.manifest.search)
    return mapped


def search_live(
    vectors: RowIndex,
    queries: NDArray[np.float32],
    k: int,
    is_gone: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> Found:
    """The best k rows of each query that are not gone: more are asked for until there are enough.

    Args:
        vectors: what is searched.
        queries: (Q, D).
        k: at most as many as are not gone.
        is_gone: which of (Q, any) rows are.

    Returns:
        (Q, k) scores and rows; ``NOTHING`` and minus infinity where fewer were found.
    """
    depth = min(k, len(vectors))
    while True:
        scores, rows = vectors.search(queries, depth)
        gone = is_gone(rows)  # (Q, depth)
        done = (rows == NOTHING).any(1) | ((~gone).sum(1) >= k)  # (Q,): no more can be had, or are needed
        if depth == len(vectors) or done.all():
            break
        depth = min(2 * depth + int(gone.sum(1).max()), len(vectors))
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]  # what is there first, in its order
    scores, rows = np.where(gone, -np.inf, scores), np.where(gone, NOTHING, rows)
    missing = ((0, 0), (0, k - order.shape[1]))
    return (
        np.pad(np.take_along_axis(scores, order, 1), missing, constant_values=-np.inf).astype(np.float32),
        np.pad(np.take_along_axis(rows, order, 1), missing, constant_values=NOTHING),
    )


def _on_device(vectors: FaissIndex, device: torch.device) -> RowIndex:
    views = vectors.views() if device.type in EXACT_ON else None
    return vectors if views is None else ExactSearch(views, device)


def _shifted(rows: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    return np.where(rows == NOTHING, NOTHING, rows + start)
