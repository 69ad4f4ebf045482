"""Ranking passages by BM25, block by block, the best of all merged."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from retriever.data.hashes import hashes_of
from retriever.errors import InputError
from retriever.lexical.analyser import Analyser
from retriever.lexical.block import Block
from retriever.lexical.formula import Formula
from retriever.records import Ranking

FREQUENT = 32
"""A word that more than one in so many passages of a block hold is added to all of them at once, which is faster than one by one."""

MARGIN = 1 - 1e-5
"""Scores are first summed in float32, whose errors are smaller than this; whatever may be among the best is then summed in float64."""

PLACES = 9
"""Sums in another order differ in their last bits: scores are rounded, so that equal passages have equal scores in any block."""

CACHED_BYTES = 2**28
"""What such words may take of the memory, as they were last needed."""

TINY = float(np.finfo(np.float32).tiny)


class Bm25:
    """Scores passages by row.

    Scores are sums in float64. In a corpus of a few passages they can be 0 or below, as BM25Okapi's can: a word in half of the
    passages or more has an idf that is not positive. A passage that shares no word with the query is not found.

    Args:
        blocks: all passages, in the order of their rows.
        gone: rows of each block that were removed.
        formula: of all passages that are there.
    """

    def __init__(self, blocks: Sequence[Block], gone: Sequence[NDArray[np.int64]], formula: Formula) -> None:
        self._blocks, self._gone, self._formula = blocks, gone, formula
        self._norms: list[NDArray[np.float64] | None] = [None] * len(blocks)
        self._columns: OrderedDict[tuple[int, int], _Column] = OrderedDict()
        self._cached = 0

    def best(self, words: Sequence[str], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The best passages that hold any of the words.

        Args:
            words: of the query; one that is there twice counts twice.
            k: at most so many passages, at least 1.

        Returns:
            Rows and scores, best first; equal scores by lower row.
        """
        times = Counter(words)
        hashes = hashes_of(times)
        idf = self._formula.idf(hashes)
        known = ~np.isnan(idf)
        factors = np.fromiter(times.values(), np.float64)[known] * idf[known]
        rows, scores, start = np.empty(0, np.int64), np.empty(0), 0
        for number, block in enumerate(self._blocks):
            floor = scores[-1] if len(scores) == k else -np.inf
            found, of_found = self._best_of(number, hashes[known], factors, k, floor)
            rows, scores = np.concatenate([rows, found + start]), np.concatenate([scores, of_found])
            order = np.argsort(-scores, kind="stable")[:k]  # of equal ones those of the earlier block first
            rows, scores, start = rows[order], scores[order], start + len(block)
        return rows, scores

    def shares(self, words: Sequence[str], row: int) -> NDArray[np.float64]:
        """(n,) what each word adds to the score of a passage: their sum is its score; NaN for words that it does not hold."""
        ends = np.cumsum([len(each) for each in self._blocks])
        number = int(np.searchsorted(ends, row, side="right"))
        block, hashes = self._blocks[number], hashes_of(words)
        own = row - int(ends[number]) + len(block)
        counts = np.array([block.count_in(own, place) for place in block.places(hashes)])
        weights = self._formula.idf(hashes) * self._formula.weights(1.0, counts, self._norm(number)[own])
        return np.where(counts > 0, weights, np.nan)

    def _best_of(
        self, number: int, words: NDArray[np.uint64], factors: NDArray[np.float64], k: int, floor: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of one block: rows in rising order, with the k best among them, and their scores."""
        block, places = self._blocks[number], self._blocks[number].places(words)
        there = places >= 0
        if not there.any():
            return np.empty(0, np.int64), np.empty(0)
        spans = [block.postings(place) for place in places[there].tolist()]
        rare: list[tuple[int, float, slice]] = []
        frequent: list[tuple[int, float, slice]] = []
        for each in zip(places[there].tolist(), factors[there].tolist(), spans, strict=True):
            is_frequent = FREQUENT * (each[2].stop - each[2].start) > len(block)
            (frequent if is_frequent else rare).append(each)
        exact = self._sum_of(number, rare)  # (N,) float64
        scores = exact.astype(np.float32)
        added = np.empty_like(scores)
        columns = [(self._column(number, place), factor) for place, factor, _ in frequent]
        for column, factor in columns:
            scores += np.multiply(column.weights, np.float32(factor), out=added)
        scores[self._gone[number]] = -np.inf
        positive = bool((factors > 0).all())
        if positive:
            lowest = max(TINY, MARGIN * max(floor, _floor(block, scores, spans, k)))
            found = np.flatnonzero(scores >= lowest)
        else:  # weights of 0 or below: a score says nothing about whether a word occurred
            found = np.unique(np.concatenate([block.rows[span] for span in spans])).astype(np.int64)
            found = found[~np.isneginf(scores[found])]
        if positive and len(found) > 4 * k:
            found = found[scores[found] >= MARGIN * _kth_largest(scores[found], k)]
        total, norms = exact[found], self._norm(number)[found]
        for column, factor in columns:
            total += self._formula.weights(factor, column.counts[found], norms)
        return found, np.round(total, PLACES)

    def _sum_of(self, number: int, words: Sequence[tuple[int, float, slice]]) -> NDArray[np.float64]:
        """(N,) what words add to the passages of a block, posting by posting."""
        block, norms = self._blocks[number], self._norm(number)
        rows = [block.rows[span] for _, _, span in words]
        weights = [
            self._formula.weights(factor, block.counts[span], norms[own])
            for (_, factor, span), own in zip(words, rows, strict=True)
        ]
        if not rows:
            return np.zeros(len(block))
        found: NDArray[np.float64] = np.bincount(
            np.concatenate(rows), np.concatenate(weights), len(block)
        ).astype(np.float64, copy=False)
        return found

    def _norm(self, number: int) -> NDArray[np.float64]:
        norms = self._norms[number]
        if norms is None:
            norms = self._norms[number] = self._formula.norms(self._blocks[number].lengths)
        return norms

    def _column(self, number: int, place: int) -> "_Column":
        """A frequent word in all passages of a block; kept while there is room."""
        key = number, place
        if key in self._columns:
            self._columns.move_to_end(key)
            return self._columns[key]
        block = self._blocks[number]
        span = block.postings(place)
        rows, counts = block.rows[span], block.counts[span]
        column = _Column(np.zeros(len(block), np.uint16), np.zeros(len(block), np.float32))
        column.counts[rows] = counts
        column.weights[rows] = self._formula.weights(1.0, counts, self._norm(number)[rows])
        self._columns[key] = column
        self._cached += column.nbytes
        while self._cached > CACHED_BYTES and len(self._columns) > 1:
            _, dropped = self._columns.popitem(last=False)
            self._cached -= dropped.nbytes
        return column


@dataclass(frozen=True, slots=True)
class _Column:
    """A frequent word.

    Attributes:
        counts: (N,) uint16, how often it is in each passage of a block.
        weights: (N,) float32, what it adds to each if its idf is 1.
    """

    counts: NDArray[np.uint16]
    weights: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.counts.nbytes + self.weights.nbytes


class Bm25Searcher:
    """Ranks passages by BM25.

    Args:
        bm25: scores rows.
        analyser: cuts questions into words as the passages were.
        ids_of: rows → ids.
        row_of: id → row; -1 where there is no such passage.
    """

    def __init__(
        self,
        bm25: Bm25,
        analyser: Analyser,
        ids_of: Callable[[NDArray[np.int64]], Sequence[str]],
        row_of: Callable[[str], int],
    ) -> None:
        self._bm25, self._analyser, self._ids_of, self._row_of = bm25, analyser, ids_of, row_of

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking per query: the best k passages of those that share a word with it."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        found = [self._bm25.best(self._analyser(query), k) for query in queries]
        ids = iter(self._ids_of(np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in found)])))
        return [Ranking([next(ids) for _ in rows], scores) for rows, scores in found]

    def explain(self, query: str, passage_id: str) -> list[tuple[str, float]]:
        """Which words of a query made the score of a passage.

        Returns:
            The words that the passage holds, in lower case, each once, with what it adds to the score: largest first, equal ones
            in the order of the query. Their sum is the score, whether or not a search finds the passage among its k best.

        Raises:
            InputError: no such passage.
        """
        row = self._row_of(passage_id)
        if row < 0:
            raise InputError(f"no passage '{passage_id}' in the index")
        words = self._analyser(query)
        shares: dict[str, float] = {}
        for word, share in zip(words, self._bm25.shares(words, row).tolist(), strict=True):
            if not isnan(share):
                shares[word] = shares.get(word, 0.0) + share
        return sorted(shares.items(), key=lambda each: -each[1])


def _floor(block: Block, scores: NDArray[np.float32], spans: Sequence[slice], k: int) -> float:
    """A score that at least k passages reach, or one that all do.

    The k-th best of any k passages or more is a lower bound of the k-th best of all. The passages of the rarest word give a
    high one, so that the k best are then picked from a small part of the block.
    """
    long_enough = [span for span in spans if span.stop - span.start >= k]
    if not long_enough:
        return -np.inf
    rarest = min(long_enough, key=lambda span: int(span.stop - span.start))
    return _kth_largest(scores[block.rows[rarest]], k)


def _kth_largest(values: NDArray[np.floating], k: int) -> float:
    """The k-th largest of k values or more."""
    return float(np.partition(values, len(values) - k)[len(values) - k])
