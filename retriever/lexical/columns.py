"""Frequent words of a block as columns, one entry a passage: they are added to all passages at once, which is faster than one by one."""

import numpy as np
from numpy.typing import NDArray

from retriever.lexical.block import Block
from retriever.lexical.formula import Formula

FREQUENT = 10
"""A word that more than one in so many passages of a block hold may have a column."""

WORTH = 4
"""It has one from this question on that asks for it: to make one takes about as long as adding its postings so often."""

LEVELS = 254
"""Of the weights of a column, rounded up: a byte each."""


class Columns:
    """What is kept of a block for searching it again.

    Args:
        block: the passages.
        formula: of all passages.

    Attributes:
        norms: (N,) float32, of the passages.
        levels: (F, N) uint8, what a word adds to each passage if its idf is 1: so many steps, rounded up.
        counts: (F, N) uint16, how often it is in each.
        steps: (F,) size of a step; 0: this column is not made yet, and takes no memory.
    """

    def __init__(self, block: Block, formula: Formula) -> None:
        self._block, self._formula = block, formula
        self._places = np.flatnonzero(FREQUENT * np.diff(block.starts) > len(block))
        shape = len(self._places), len(block)
        self.norms = formula.norms(block.lengths).astype(np.float32)
        self.levels, self.counts = np.empty(shape, np.uint8), np.empty(shape, np.uint16)
        self.steps = np.zeros(len(self._places))
        self._questions = np.zeros(len(self._places), np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.norms.nbytes + int(np.count_nonzero(self.steps)) * 3 * len(self._block)

    def of(self, places: NDArray[np.int64], questions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The columns of words.

        Args:
            places: (n,) of different words in the block; -1: a word that it does not know.
            questions: (n,) how many ask for each now.

        Returns:
            (n,) number of each one's column; -1 where it has none.
        """
        if not len(self._places):
            return np.full(len(places), -1)
        numbers = np.searchsorted(self._places, places).clip(max=len(self._places) - 1)
        there = self._places[numbers] == places
        self._questions[numbers[there]] += questions[there]
        for each in numbers[there].tolist():
            if self._questions[each] >= WORTH and not self.steps[each]:
                self._make(each)
        numbers[~there | (self.steps[numbers] == 0)] = -1
        return numbers

    def _make(self, number: int) -> None:
        block = self._block
        span = block.postings(int(self._places[number]))
        rows, counts = block.rows[span], block.counts[span]
        weights = self._formula.weights(1.0, counts, self._formula.norms(block.lengths[rows]))
        step = float(weights.max()) / LEVELS
        self.levels[number], self.counts[number] = 0, 0
        self.levels[number, rows], self.counts[number, rows] = np.ceil(weights / step), counts
        self.steps[number] = step
