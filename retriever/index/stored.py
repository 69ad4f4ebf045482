"""The vectors that an index holds, read back from it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.index.faiss_index import FaissIndex
from retriever.index.opened import OpenIndex

ROWS_AT_ONCE = 65_536


class StoredVectors(Sequence[NDArray[np.float32]]):
    """The stored vectors of all passages that are there, in the order of their rows, (n, D) at a time."""

    def __init__(self, opened: OpenIndex) -> None:
        self._opened = opened
        # opened once: an ivf index makes a table of its rows when it is first read back
        self._places = [
            (vectors, segment.start, start)
            for segment in opened.segments
            for vectors in [FaissIndex.load(segment.vectors, segment.entry.count)]
            for start in range(0, segment.entry.count, ROWS_AT_ONCE)
        ]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> NDArray[np.float32]:  # type: ignore[override]  # one at a time
        vectors, first, start = self._places[place]
        part = vectors.vectors(start, min(ROWS_AT_ONCE, len(vectors) - start))
        return part[~self._opened.is_removed(np.arange(start, start + len(part)) + first)]
