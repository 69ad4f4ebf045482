"""Frequent words of a block as columns, one entry a passage: they are added to all passages at once, which is faster than one by one."""

import numpy as np
from numpy.typing import NDArray

from retriever.lexical.block import Block
from retriever.lexical.formula import Formula

FREQUENT = 10
"""A word that more than one in so many passages of a block hold may have a column."""

WORTH = 4
"""It has one from this question on that asks for it: to make one takes about as long as adding its postings so often."""

BYTES = 3
"""Of a column for each passage."""

LEVELS = 254
"""Of the weights of a column, rounded up: a byte each."""


class Columns:
    """What is kept of a block for searching it again.

    Args:
        block: the passages.
        formula: of all passages.

    Attributes:
        norms: (N,) float32, of the passages.
        levels: (C, N) uint8, what a word adds to each passage if its idf is 1: so many steps, rounded up.
        counts: (C, N) uint16, how often it is in each.
        steps: (C,) float64, size of a step.
    """

    def __init__(self, block: Block, formula: Formula) -> None:
        self._block, self._formula = block, formula
        self._places = np.flatnonzero(FREQUENT * np.diff(block.starts) > len(block))
        self._questions = np.zeros(len(self._places), np.int64)
        self._columns = np.full(len(self._places), -1)
        self.norms = formula.norms(block.lengths).astype(np.float32)
        self.levels, self.counts = np.empty((0, len(block)), np.uint8), np.empty((0, len(block)), np.uint16)
        self.steps = np.empty(0)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self.levels.nbytes + self.counts.nbytes

    def of(self, places: NDArray[np.int64], questions: NDArray[np.int64], room: int) -> NDArray[np.int64]:
        """The columns of words.

        Args:
            places: (n,) of words in the block; -1: a word that it does not know.
            questions: (n,) how many ask for each now; no word is asked for in two places.
            room: bytes that new columns may take.

        Returns:
            (n,) number of each one's column; -1 where it has none.
        """
        if not len(self._places):
            return np.full(len(places), -1)
        words = np.searchsorted(self._places, places).clip(max=len(self._places) - 1)
        there = self._places[words] == places
        frequent = words[there]
        self._questions[frequent] += questions[there]
        wanted = frequent[(self._questions[frequent] >= WORTH) & (self._columns[frequent] < 0)]
        self._make(wanted[: max(0, room) // (BYTES * len(self._block))])
        return np.where(there, self._columns[words], -1)

    def _make(self, words: NDArray[np.int64]) -> None:
        """Columns of more words."""
        if not len(words):
            return
        block, first = self._block, len(self.steps)
        more = len(words), len(block)
        self.levels = np.concatenate([self.levels, np.zeros(more, np.uint8)])
        self.counts = np.concatenate([self.counts, np.zeros(more, np.uint16)])
        self.steps = np.append(self.steps, np.zeros(len(words)))
        for column, word in enumerate(words.tolist(), start=first):
            span = block.postings(int(self._places[word]))
            rows, counts = block.rows[span], block.counts[span]
            weights = self._formula.weights(1.0, counts, self._formula.norms(block.lengths[rows]))
            self.steps[column] = weights.max() / LEVELS
            self.levels[column, rows] = np.ceil(weights / self.steps[column])
            self.counts[column, rows] = counts
            self._columns[word] = column
