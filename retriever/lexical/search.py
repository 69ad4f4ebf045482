"""Ranking passages by BM25, block by block: bounds of all scores first, then the scores of those that may be among the best."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isnan
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retriever.data.hashes import hashes_of
from retriever.errors import InputError
from retriever.lexical.analyser import Analyser
from retriever.lexical.block import Block
from retriever.lexical.columns import Columns
from retriever.lexical.formula import Formula
from retriever.lexical.kernel import NUMPY, WordsInBlock, compiled
from retriever.records import Ranking

CACHED_BYTES = 2**28
"""What the columns of frequent words may take of the memory; the first ones stay, as every search needs all blocks in turn."""

COMPILED_FROM = 3 * 10**8
"""Passages times questions that NumPy's loops take about as long for as Numba takes to compile its own."""

PLACES = 9
"""Sums in another order differ in their last bits: scores are rounded, so that equal passages have equal scores in any block."""

TINY = float(np.finfo(np.float32).tiny)

T = TypeVar("T", bound=np.generic)
Found = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Rows and their scores."""

NOTHING: Found = np.empty(0, np.int64), np.empty(0)


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
        self._columns: dict[int, Columns] = {}
        self._lock, self._work = Lock(), 0
        self._kernel = NUMPY

    def best(self, queries: Sequence[Sequence[str]], k: int) -> list[Found]:
        """The best passages for each query that hold any of its words.

        Args:
            queries: words; one that is there twice counts twice.
            k: at most so many passages, at least 1.

        Returns:
            Rows and scores, best first; equal scores by lower row.
        """
        self._work += len(queries) * sum(map(len, self._blocks))
        if self._work >= COMPILED_FROM:
            self._kernel = compiled() or NUMPY
        counted = [Counter(words) for words in queries]
        vocabulary = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(counted)))}
        hashes = hashes_of(vocabulary)
        idf = self._formula.idf(hashes)
        asked = [_Asked.of([vocabulary[word] for word in each], list(each.values()), idf) for each in counted]
        questions = np.bincount(
            np.concatenate([NOTHING[0], *(each.words for each in asked)]), minlength=len(hashes)
        )
        found: list[Found] = [NOTHING] * len(queries)
        start = 0
        for number, block in enumerate(self._blocks):
            opened = self._open(number, hashes, questions)
            for query, each in enumerate(asked):
                rows, scores = found[query]
                floor = float(scores[-1]) if len(scores) == k else -np.inf
                own, of_own = self._best_of(opened, each, k, floor) if len(each.words) else NOTHING
                if len(own):
                    found[query] = _first([rows, own + start], [scores, of_own], k)
            start += len(block)
        return found

    def shares(self, words: Sequence[str], row: int) -> NDArray[np.float64]:
        """(n,) what each word adds to the score of a passage: their sum is its score; NaN for words that it does not hold."""
        ends = np.cumsum([len(each) for each in self._blocks])
        number, hashes = int(np.searchsorted(ends, row, side="right")), hashes_of(words)
        own = row - int(ends[number]) + len(self._blocks[number])
        opened = self._open(number, hashes, np.zeros(len(hashes), np.int64))
        asked = _Asked(np.arange(len(words)), self._formula.idf(hashes), positive=False)
        weights, counts = self._weights(opened, asked, np.array([own], np.int32))
        return np.where(counts > 0, weights, np.nan)[:, 0]

    def _best_of(self, opened: "_Opened", asked: "_Asked", k: int, floor: float) -> Found:
        """Of one block: rows in rising order, with the k best among them, and their scores."""
        if asked.positive:
            rows = self._may_be_best(opened, asked, k, floor)
        else:  # weights of 0 or below: a score says nothing about whether a word occurred
            postings = opened.words
            spans = zip(postings.starts[asked.words], postings.stops[asked.words], strict=True)
            rows = np.unique(np.concatenate([postings.rows[start:stop] for start, stop in spans]))
            rows = np.setdiff1d(rows, opened.gone.astype(np.int32), assume_unique=True)
        weights, _ = self._weights(opened, asked, rows)
        return rows.astype(np.int64), np.round(weights.sum(axis=0), PLACES)

    def _may_be_best(self, opened: "_Opened", asked: "_Asked", k: int, floor: float) -> NDArray[np.int32]:
        """Rows of a block, rising: those whose bounds do not keep them from the k best, or from reaching ``floor``."""
        words, bounds = opened.words, opened.bounds
        factors = (asked.factors * opened.scales[asked.words]).astype(np.float32)
        self._kernel.bound(words, asked.words, factors, opened.norms, bounds)
        if len(opened.gone):
            bounds[opened.gone] = -np.inf
        # Of n products summed in float32; the bounds of any k passages, lowered, are reached by the k best of all.
        margin = 1 - (len(factors) + 8) * 2.0**-23
        rounding = float(asked.factors @ opened.steps[asked.words])

        def lowest(of_some: NDArray[np.float32]) -> float:
            reached = _kth_largest(of_some, k) * margin - rounding if len(of_some) >= k else -np.inf
            return max(TINY, max(floor, reached) * margin - 2 * 10.0**-PLACES)

        # The passages of a rare word score high; the k-th best of just k of them is a low bound, that of 2 k a good one.
        sizes = sorted(zip(opened.sizes[asked.words].tolist(), asked.words.tolist(), strict=True))
        _, word = next((each for each in sizes if each[0] >= 2 * k), sizes[-1])
        sample = bounds[words.rows[words.starts[word] : words.stops[word]]]
        rows = self._kernel.reaching(bounds, lowest(sample))
        if len(rows) > k:
            of_rows = bounds[rows]
            rows = rows[of_rows >= lowest(of_rows)]
        return rows

    def _weights(
        self, opened: "_Opened", asked: "_Asked", rows: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
        """(words, rows) what each word adds to the score of each passage of a block, and how often that holds it."""
        counts = self._kernel.counts_of(opened.words, asked.words, rows)
        norms = self._formula.norms(opened.lengths[rows])
        return self._formula.weights(asked.factors[:, None], counts, norms), counts

    def _open(self, number: int, hashes: NDArray[np.uint64], questions: NDArray[np.int64]) -> "_Opened":
        """A block, for so many questions that ask for each word."""
        block, formula = self._blocks[number], self._formula
        places = block.places(hashes)
        starts, stops = block.starts[places], block.starts[places + 1]
        stops = np.where(places < 0, starts, stops)
        rows, counts = _read_only(block.rows), _read_only(block.counts)
        with self._lock:
            if number not in self._columns:
                self._columns[number] = Columns(block, formula)
            columns = self._columns[number]
            room = CACHED_BYTES - sum(each.nbytes for each in self._columns.values())
            numbers = columns.of(places, questions, room)
            words = WordsInBlock(rows, counts, starts, stops, numbers, columns.levels, columns.counts)
            steps = np.append(columns.steps, 0.0)[numbers]
        return _Opened(
            words=words,
            sizes=stops - starts,
            scales=np.where(numbers < 0, formula.above, steps),
            steps=steps,
            lengths=block.lengths,
            norms=columns.norms,
            gone=self._gone[number],
            bounds=np.empty(len(block), np.float32),
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A block, with the words of all queries.

    Attributes:
        words: for the loops.
        sizes: (V,) int64, passages that hold each word.
        scales: (V,) float64, what factors are multiplied by: a step of the column, or the formula's own factor.
        steps: (V,) float64, of the column; 0 where there is none.
        lengths: (N,) int32, words of the passages.
        norms: (N,) float32, of the passages.
        gone: (G,) int64 rows.
        bounds: (N,) float32, to write to.
    """

    words: WordsInBlock
    sizes: NDArray[np.int64]
    scales: NDArray[np.float64]
    steps: NDArray[np.float64]
    lengths: NDArray[np.int32]
    norms: NDArray[np.float32]
    gone: NDArray[np.int64]
    bounds: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The known words of a query.

    Attributes:
        words: (n,) int64, their numbers among those of all queries.
        factors: (n,) float64, idf, times how often the query has the word.
        positive: whether all factors are.
    """

    words: NDArray[np.int64]
    factors: NDArray[np.float64]
    positive: bool

    @classmethod
    def of(cls, words: Sequence[int], times: Sequence[int], idf: NDArray[np.float64]) -> "_Asked":
        """Without those that no passage holds, whose idf is NaN."""
        numbers = np.array(words, np.int64)
        factors = idf[numbers] * times
        known = ~np.isnan(factors)
        factors = factors[known]
        return cls(numbers[known], factors, bool((factors > 0).all()))


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
        found = self._bm25.best([self._analyser(query) for query in queries], k)
        ids = self._ids_of(np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in found)]))
        ends = np.cumsum([len(rows) for rows, _ in found]).tolist()
        return [
            Ranking(ids[end - len(rows) : end], scores)
            for end, (rows, scores) in zip(ends, found, strict=True)
        ]

    def explain(self, query: str, passage_id: str) -> list[tuple[str, float]]:
        """Which words of a query made the score of a passage.

        Returns:
            The words that the passage holds, in lower case and not stemmed, each once, with what it adds to the score: largest first, equal ones
            in the order of the query. Their sum is the score, whether or not a search finds the passage among its k best.

        Raises:
            InputError: no such passage.
        """
        row = self._row_of(passage_id)
        if row < 0:
            raise InputError(f"no passage '{passage_id}' in the index")
        pairs = self._analyser.pairs(query)
        of_words = self._bm25.shares([word for _, word in pairs], row).tolist()
        shares: dict[str, float] = {}
        for (written, _), share in zip(pairs, of_words, strict=True):
            if not isnan(share):
                shares[written] = shares.get(written, 0.0) + share
        return sorted(shares.items(), key=lambda each: -each[1])


def _read_only(array: NDArray[T]) -> NDArray[T]:
    """The same array: in memory or mapped, the compiled loops see one type."""
    view = array.view()
    view.flags.writeable = False
    return view


def _first(rows: list[NDArray[np.int64]], scores: list[NDArray[np.float64]], k: int) -> Found:
    """The k best of all, of equal ones the earlier."""
    all_rows, all_scores = np.concatenate(rows), np.concatenate(scores)
    order = np.argsort(-all_scores, kind="stable")[:k]
    return all_rows[order], all_scores[order]


def _kth_largest(values: NDArray[np.float32], k: int) -> float:
    """The k-th largest of k values or more."""
    return float(np.partition(values, len(values) - k)[len(values) - k])
