"""The vectors of a whole index, some ten thousand at a time: none of them is opened, mapped or decoded before its turn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Parts:
    """Arrays of vectors, each made when it is asked for; the rows of one follow those of the one before.

    Attributes:
        sizes: vectors of each.
        dimension: D.
        dtype: float32 or float16.
        load: makes the (size, D) array of a number.
    """

    sizes: Sequence[int]
    dimension: int
    dtype: np.dtype[np.floating]
    load: Callable[[int], NDArray[np.floating]]

    @classmethod
    def of(cls, arrays: Sequence[NDArray[np.floating]]) -> "Parts":
        """Arrays that are there.

        Raises:
            ValueError: none at all, another shape or data type.
        """
        if not arrays:
            raise ValueError("no vectors: not even their dimension is known")
        dimension, dtype = arrays[0].shape[-1], arrays[0].dtype
        for each in arrays:
            if each.shape[1:] != (dimension,) or each.dtype != dtype or dtype not in (np.float32, np.float16):
                raise ValueError(
                    f"expected (n, {dimension}) float32 or float16 vectors, got {each.shape} of {each.dtype}"
                )
        return cls([len(each) for each in arrays], dimension, dtype, lambda number: arrays[number])

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        for number in range(len(self.sizes)):
            yield self[number]

    def __getitem__(self, number: int) -> NDArray[np.floating]:
        found = self.load(number)
        if found.shape != (self.sizes[number], self.dimension):
            raise ValueError(f"expected ({self.sizes[number]}, {self.dimension}) vectors, got {found.shape}")
        return found

    @property
    def count(self) -> int:
        """All of their rows."""
        return sum(self.sizes)

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return self.count * self.dimension * self.dtype.itemsize
