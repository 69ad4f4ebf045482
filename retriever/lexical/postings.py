"""Term-by-passage weights, a column per term, on disk as three arrays that are memory-mapped for searching."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.errors import InputError

STARTS, ROWS, WEIGHTS = "starts.npy", "rows.npy", "weights.npy"


@dataclass(frozen=True, slots=True)
class Postings:
    """What each term adds to the score of each passage that holds it.

    Args:
        starts: (terms + 1,) int64, where the postings of each term start.
        rows: (postings,) int32 passage rows, rising within each term.
        weights: (postings,) float32, in the same order; within a term all above, all below or all equal to zero.
        num_passages: passages altogether.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    num_passages: int

    @classmethod
    def from_triples(
        cls,
        terms: NDArray[np.int32],
        rows: NDArray[np.int32],
        weights: NDArray[np.float32],
        shape: tuple[int, int],
    ) -> "Postings":
        """Sort (term, row, weight) triples by term; rows must rise; shape is (terms, passages)."""
        num_terms, num_passages = shape
        order = np.argsort(terms, kind="stable")
        starts = np.zeros(num_terms + 1, dtype=np.int64)
        np.cumsum(np.bincount(terms, minlength=num_terms), out=starts[1:])
        return cls(starts, rows[order], weights[order], num_passages)

    def save(self, folder: Path) -> None:
        """Write the arrays into an existing folder."""
        for name, array in ((STARTS, self.starts), (ROWS, self.rows), (WEIGHTS, self.weights)):
            np.save(folder / name, array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, shape: tuple[int, int]) -> "Postings":
        """Memory-map what ``save`` wrote; shape is (terms, passages).

        Raises:
            InputError: an array is missing, unreadable, or does not fit the shape.
        """
        starts = _mapped(folder / STARTS, np.dtype(np.int64))
        rows = _mapped(folder / ROWS, np.dtype(np.int32))
        weights = _mapped(folder / WEIGHTS, np.dtype(np.float32))
        num_terms, num_passages = shape
        if len(starts) != num_terms + 1 or len(rows) != starts[-1] or len(weights) != starts[-1]:
            raise InputError("the BM25 arrays do not fit together; build the index again", path=folder)
        return cls(starts, rows, weights, num_passages)

    def best(self, terms: Sequence[int], k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The best passages that hold any of the terms.

        Args:
            terms: term rows; a term that is named twice counts twice.
            k: at most so many passages, at least 1.

        Returns:
            Passage rows and scores, best first; equal scores by lower row.
        """
        spans = [slice(self.starts[term], self.starts[term + 1]) for term in terms]
        scores = np.zeros(self.num_passages, dtype=np.float64)  # (passages,)
        for span in spans:
            scores[self.rows[span]] += self.weights[span]  # a row occurs once in a span, so += misses none
        if all(self.weights[span.start] > 0 for span in spans):
            found = np.flatnonzero(scores >= self._floor(scores, spans, k))
        else:  # weights of 0 or below: a score says nothing about whether a term occurred
            found = np.unique(np.concatenate([self.rows[span] for span in spans])).astype(np.intp)
        if len(found) > 4 * k:
            found = found[scores[found] >= _kth_largest(scores[found], k)]
        order = np.argsort(-scores[found], kind="stable")[:k]
        return found[order], scores[found[order]]

    def _floor(self, scores: NDArray[np.float64], spans: Sequence[slice], k: int) -> float:
        """A score above 0 that at least k passages reach, or that every passage found reaches.

        The k-th best of any k passages or more is a lower bound of the k-th best of all. The passages of the rarest
        term give a high one, so that the k best are then picked from a small part of the corpus.
        """
        long_enough = [span for span in spans if span.stop - span.start >= k]
        if not long_enough:
            return float(np.finfo(np.float64).tiny)
        rarest = min(long_enough, key=lambda span: int(span.stop - span.start))
        return _kth_largest(scores[self.rows[rarest]], k)


def _kth_largest(values: NDArray[np.float64], k: int) -> float:
    """The k-th largest of k values or more."""
    return float(np.partition(values, len(values) - k)[len(values) - k])


def _mapped(path: Path, dtype: np.dtype) -> NDArray:
    """A memory-mapped one-dimensional array as a plain ndarray, which slices faster than np.memmap."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except (ValueError, EOFError):
        raise InputError("not a NumPy array file", path=path) from None
    if array.ndim != 1 or array.dtype != dtype or len(array) == 0:
        raise InputError(
            f"expected a one-dimensional {dtype} array, found {array.dtype}{array.shape}", path=path
        )
    return np.asarray(array)
