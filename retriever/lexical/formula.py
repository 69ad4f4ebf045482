"""BM25's two formulas: rank-bm25's Okapi, whose scores it gives exactly, and Lucene's.

Okapi (``rank_bm25.BM25Okapi``): idf = ln((N - n + ½) / (n + ½)), and ε times the average idf of all words where that is negative;
a word adds idf · c (k1 + 1) / (c + k1 (1 - b + b · l / L)). Lucene (``BM25Similarity`` since Lucene 8): idf = ln(1 + (N - n + ½) / (n + ½)),
and the factor k1 + 1 left out; its rounding of lengths to a byte is not imitated. N: passages, n: those that hold the word, c: how often
this one does, l: its words, L: their average.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retriever.choices import Bm25Formula
from retriever.lexical.block import Block


@dataclass(frozen=True)
class Parameters:
    """Of a formula."""

    k1: float
    b: float
    epsilon: float = 0.0


PARAMETERS: dict[Bm25Formula, Parameters] = {
    "okapi": Parameters(1.5, 0.75, 0.25),  # rank-bm25's own defaults
    "lucene": Parameters(0.9, 0.4),  # as in the DPR paper
}


@dataclass(frozen=True)
class Statistics:
    """Of all passages together.

    Attributes:
        words: (W,) uint64 hashes of all words, sorted.
        frequencies: (W,) int64 passages that hold each, at least one.
        num_passages: N.
        num_words: of all passages, repeated ones included.
    """

    words: NDArray[np.uint64]
    frequencies: NDArray[np.int64]
    num_passages: int
    num_words: int

    @classmethod
    def of(cls, blocks: Sequence[Block], gone: Sequence[NDArray[np.int64]]) -> "Statistics":
        """Of blocks without the rows that are gone from each."""
        words, frequencies = np.empty(0, np.uint64), np.empty(0, np.int64)
        for block, rows in zip(blocks, gone, strict=True):
            both = np.concatenate([words, block.words])
            words, place = np.unique(both, return_inverse=True)
            counts = np.concatenate([frequencies, block.frequencies(rows)])
            frequencies = np.zeros(len(words), np.int64)
            np.add.at(frequencies, place, counts)
        there = frequencies > 0
        return cls(
            words[there],
            frequencies[there],
            sum(len(block) - len(rows) for block, rows in zip(blocks, gone, strict=True)),
            sum(
                int(block.lengths.sum(dtype=np.int64)) - int(block.lengths[rows].sum(dtype=np.int64))
                for block, rows in zip(blocks, gone, strict=True)
            ),
        )


class Formula:
    """What a word adds to the score of a passage.

    Args:
        name: okapi or lucene.
        statistics: of all passages.

    Attributes:
        above: the factor above the fraction: k1 + 1, or 1.
    """

    def __init__(self, name: Bm25Formula, statistics: Statistics) -> None:
        self.name, self.parameters, self.statistics = name, PARAMETERS[name], statistics
        self.above = self.parameters.k1 + 1 if name == "okapi" else 1.0
        n, total = statistics.frequencies, statistics.num_passages
        if name == "lucene":
            self._idf = np.log1p((total - n + 0.5) / (n + 0.5))
            return
        self._idf = np.log(total - n + 0.5) - np.log(n + 0.5)
        average = float(self._idf.mean()) if len(n) else 0.0
        self._idf[self._idf < 0] = self.parameters.epsilon * average

    def idf(self, words: NDArray[np.uint64]) -> NDArray[np.float64]:
        """(n,) of words by their hashes; NaN for one that no passage holds."""
        known = self.statistics.words
        if not len(known):
            return np.full(len(words), np.nan)
        place = np.searchsorted(known, words).clip(max=len(known) - 1)
        found: NDArray[np.float64] = np.where(known[place] == words, self._idf[place], np.nan)
        return found

    def norms(self, lengths: NDArray[np.int32]) -> NDArray[np.float64]:
        """(N,) k1 (1 - b + b · l / L) of passages."""
        k1, b = self.parameters.k1, self.parameters.b
        average = (
            self.statistics.num_words / self.statistics.num_passages or 1.0
        )  # none is left that has words
        found: NDArray[np.float64] = k1 * (1 - b + b * lengths.astype(np.float64) / average)
        return found

    def weights(
        self, idf: float | NDArray[np.float64], counts: NDArray[np.uint16], norms: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What words add to passages that hold them ``counts`` times; any shapes that NumPy broadcasts."""
        found: NDArray[np.float64] = idf * (counts * self.above / (counts + norms))
        return found
