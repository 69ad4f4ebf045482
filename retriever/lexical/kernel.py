"""The loops of a search in a block of postings, twice: in NumPy, and for Numba to compile (extra ``fast``).

Both select the same passages: they differ in no integer, and in float32 sums by less than the margin that the search leaves.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

RUN = 64
"""Rows that are looked at together, by vector instructions: in most runs no bound is high enough."""

CACHED_RUN = 4096
"""Rows whose bounds stay in the processor's nearest cache while columns are added."""


class WordsInBlock(NamedTuple):
    """Words as a block of N passages has them, for the loops.

    Attributes:
        rows: (P,) int32 passages of all postings of the block; read-only.
        counts: (P,) uint16, of all postings; read-only.
        starts: (V,) int64, of the postings of each word.
        stops: (V,) int64, of the postings of each word; that of ``starts`` where no passage holds it.
        columns: (V,) int64, the column of each word; -1 where it has none.
        levels: (F, N) uint8, of the columns.
        column_counts: (F, N) uint16, of the columns.
    """

    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    columns: NDArray[np.int64]
    levels: NDArray[np.uint8]
    column_counts: NDArray[np.uint16]


@dataclass(frozen=True)
class Kernel:
    """The loops.

    Attributes:
        bound: fills (N,) bounds with the sum over (n,) words of factor · c / (c + norm), or of factor · level for those that have a
            column.
        reaching: rows, rising, whose bound is at least ``lowest``.
        counts_of: (n, m) how often each of m passages, rising, holds each of n words.
    """

    bound: Callable[
        [WordsInBlock, NDArray[np.int64], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], None
    ]
    reaching: Callable[[NDArray[np.float32], float], NDArray[np.int32]]
    counts_of: Callable[[WordsInBlock, NDArray[np.int64], NDArray[np.int32]], NDArray[np.uint16]]


def _bound(
    block: WordsInBlock,
    words: NDArray[np.int64],
    factors: NDArray[np.float32],
    norms: NDArray[np.float32],
    bounds: NDArray[np.float32],
) -> None:
    bounds.fill(0)
    for word, factor in zip(words.tolist(), factors, strict=True):
        column = block.columns[word]
        if column >= 0:
            bounds += np.multiply(block.levels[column], factor, dtype=np.float32)
        else:
            span = slice(int(block.starts[word]), int(block.stops[word]))
            own, times = block.rows[span], block.counts[span].astype(np.float32)
            bounds[own] += factor * (times / (times + norms[own]))


def _reaching(bounds: NDArray[np.float32], lowest: float) -> NDArray[np.int32]:
    return np.flatnonzero(bounds >= np.float32(lowest)).astype(np.int32)


def _counts_of(
    block: WordsInBlock, words: NDArray[np.int64], wanted: NDArray[np.int32]
) -> NDArray[np.uint16]:
    found = np.zeros((len(words), len(wanted)), np.uint16)
    for number, word in enumerate(words.tolist()):
        column, start, stop = block.columns[word], int(block.starts[word]), int(block.stops[word])
        if column >= 0:
            found[number] = block.column_counts[column][wanted]
        elif start < stop:
            place = np.searchsorted(block.rows[start:stop], wanted).clip(max=stop - start - 1) + start
            found[number] = np.where(block.rows[place] == wanted, block.counts[place], 0)
    return found


NUMPY = Kernel(_bound, _reaching, _counts_of)


@cache
def compiled() -> Kernel | None:
    """The loops as machine code, made now, in a few seconds; nothing is kept on the disk. None where Numba cannot be had."""
    try:
        from numba import njit, types
    except ImportError as error:  # not installed, or not for this version of NumPy
        logger.debug("BM25 searches without Numba: %s", error)
        return None
    mapped_rows, mapped_counts = (
        types.Array(of, 1, "C", readonly=True) for of in (types.int32, types.uint16)
    )
    rows, places, reals = (types.Array(of, 1, "C") for of in (types.int32, types.int64, types.float32))
    levels, counts = (types.Array(of, 2, "C") for of in (types.uint8, types.uint16))
    block = types.NamedTuple(
        (mapped_rows, mapped_counts, places, places, places, levels, counts), WordsInBlock
    )
    return Kernel(
        njit(types.void(block, places, reals, reals, reals), nogil=True)(_bound_loop),
        njit(rows(reals, types.float32), nogil=True)(_reaching_loop),
        njit(counts(block, places, rows), nogil=True)(_counts_loop),
    )


def _bound_loop(
    block: WordsInBlock,
    words: NDArray[np.int64],
    factors: NDArray[np.float32],
    norms: NDArray[np.float32],
    bounds: NDArray[np.float32],
) -> None:
    bounds[:] = 0
    for number in range(len(words)):
        word, factor = words[number], factors[number]
        if block.columns[word] < 0:
            for place in range(block.starts[word], block.stops[word]):
                row, times = block.rows[place], np.float32(block.counts[place])
                bounds[row] += factor * (times / (times + norms[row]))
    for start in range(0, len(bounds), CACHED_RUN):
        run = bounds[start : start + CACHED_RUN]
        for number in range(len(words)):
            column, factor = block.columns[words[number]], factors[number]
            if column >= 0:
                levels = block.levels[column, start : start + CACHED_RUN]
                for row in range(len(run)):
                    run[row] += factor * np.float32(levels[row])


def _reaching_loop(bounds: NDArray[np.float32], lowest: float) -> NDArray[np.int32]:
    runs, num_runs, number = np.empty(len(bounds) // RUN + 1, np.int32), 0, 0
    for start in range(0, len(bounds), RUN):
        run, there = bounds[start : start + RUN], 0
        for row in range(len(run)):
            if run[row] >= lowest:
                there += 1
        if there:
            runs[num_runs] = start
            num_runs, number = num_runs + 1, number + there
    found, number = np.empty(number, np.int32), 0
    for start in runs[:num_runs]:
        for row in range(start, min(start + RUN, len(bounds))):
            if bounds[row] >= lowest:
                found[number] = row
                number += 1
    return found


def _counts_loop(
    block: WordsInBlock, words: NDArray[np.int64], wanted: NDArray[np.int32]
) -> NDArray[np.uint16]:
    found = np.zeros((len(words), len(wanted)), np.uint16)
    for number in range(len(words)):
        word = words[number]
        column, low, stop = block.columns[word], block.starts[word], block.stops[word]
        for place in range(len(wanted)):
            if column >= 0:
                found[number, place] = block.column_counts[column, wanted[place]]
                continue
            low += np.searchsorted(block.rows[low:stop], wanted[place])
            if low < stop and block.rows[low] == wanted[place]:
                found[number, place] = block.counts[low]
    return found
