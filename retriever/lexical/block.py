"""Postings of a run of passages: for each word those that hold it and how often, as arrays that are memory-mapped for searching.

Nothing in a block depends on passages outside it, or on a formula: so passages are added by another block, and removed without
touching one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.data.hashes import hashes_of
from retriever.errors import InputError

FILES: dict[str, np.dtype[Any]] = {
    "words": np.dtype(np.uint64),
    "starts": np.dtype(np.int64),
    "rows": np.dtype(np.int32),
    "counts": np.dtype(np.uint16),
    "lengths": np.dtype(np.int32),
}
"""Attribute, and name of its file, → data type."""


@dataclass(frozen=True, slots=True)
class Block:
    """What some passages hold.

    Attributes:
        words: (W,) uint64 hashes of the words, sorted.
        starts: (W + 1,) int64, where the postings of each word start.
        rows: (P,) int32 passages of the block, rising within each word.
        counts: (P,) uint16, how often the word is in the passage; 65,535 stands for more, too.
        lengths: (N,) int32, words of each passage.
    """

    words: NDArray[np.uint64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def of(cls, vocabulary: Sequence[str], ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> "Block":
        """Count words.

        Args:
            vocabulary: all different words.
            ids: (tokens,) place in the vocabulary of each word of each passage, one passage after the other.
            lengths: (N,) words of each passage.

        Raises:
            ValueError: two words have the same hash (once in some ten million corpora of a million words).
        """
        hashes = hashes_of(vocabulary)
        order = np.argsort(hashes)
        words = hashes[order]
        if (words[1:] == words[:-1]).any():
            raise ValueError("two words have the same 64-bit hash")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        num_rows = max(1, len(lengths))
        keys = place[ids]  # (tokens,) word and passage as one number, sorted by both
        keys *= num_rows
        keys += np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        keys.sort()
        is_first = np.ones(len(keys), bool)  # of each run of equal keys
        np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
        first = np.flatnonzero(is_first)  # (P,)
        keys = keys[first]
        counts = np.minimum(np.diff(first, append=len(ids)), np.iinfo(np.uint16).max).astype(np.uint16)
        del first, is_first
        starts = np.searchsorted(keys, np.arange(len(words) + 1) * num_rows)
        keys %= num_rows
        return cls(words, starts, keys.astype(np.int32), counts, lengths)

    def save(self, folder: Path) -> None:
        """Write the arrays into an existing folder."""
        for name in FILES:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "Block":
        """Map what ``save`` wrote.

        Raises:
            InputError: an array is missing or unreadable, or they do not fit together.
        """
        arrays = {name: mapped(folder / f"{name}.npy", dtype) for name, dtype in FILES.items()}
        block = cls(**arrays)
        if len(block.starts) != len(block.words) + 1 or not (
            len(block.rows) == len(block.counts) == block.starts[-1]
        ):
            raise InputError("the BM25 arrays do not fit together: build the index again", path=folder)
        return block

    def places(self, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(n,) places of hashes among ``words``; -1 where no passage holds the word."""
        if not len(self.words):
            return np.full(len(words), -1)
        found = np.searchsorted(self.words, words).clip(max=len(self.words) - 1)
        return np.where(self.words[found] == words, found, -1)

    def postings(self, place: int) -> slice:
        """The part of ``rows`` and ``counts`` that belongs to a word."""
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def frequencies(self, gone: NDArray[np.int64]) -> NDArray[np.int64]:
        """(W,) passages that hold each word, those of ``gone`` rows left out."""
        found = np.diff(self.starts)
        if len(gone):
            is_gone = np.zeros(len(self), bool)
            is_gone[gone] = True
            before = np.concatenate([[0], np.cumsum(is_gone[self.rows])])  # (P + 1,)
            found = found - (before[self.starts[1:]] - before[self.starts[:-1]])
        return found


class BlockCounter:
    """Words of passages, until there are enough for a block."""

    def __init__(self) -> None:
        self._vocabulary: defaultdict[str, int] = defaultdict()
        self._vocabulary.default_factory = self._vocabulary.__len__
        self._ids: list[NDArray[np.int32]] = []
        self._lengths: list[int] = []
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, words: Iterable[str]) -> None:
        """One passage."""
        ids = np.fromiter(map(self._vocabulary.__getitem__, words), np.int32)
        self._ids.append(ids)
        self._lengths.append(len(ids))
        self.tokens += len(ids)

    def block(self) -> Block:
        """What was counted."""
        ids = np.concatenate([np.empty(0, np.int32), *self._ids])
        self._ids.clear()
        return Block.of(list(self._vocabulary), ids, np.array(self._lengths, np.int32))


def mapped(path: Path, dtype: np.dtype) -> NDArray:
    """A memory-mapped one-dimensional array as a plain ndarray, which slices faster than np.memmap."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except (ValueError, EOFError):
        raise InputError("not a NumPy array file", path=path) from None
    if array.ndim != 1 or array.dtype != dtype:
        raise InputError(
            f"expected a one-dimensional {dtype} array, found {array.dtype}{array.shape}", path=path
        )
    return np.asarray(array)
