"""The vectors that an index holds, read back from it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.index.faiss_index import FaissIndex
from retriever.index.opened import OpenIndex
from retriever.index.parts import Parts
from retriever.index.vectors import map_vectors

ROWS_AT_ONCE = 65_536


def stored_vectors(opened: OpenIndex, mapped: Sequence[FaissIndex] | None = None) -> Parts:
    """The stored vectors of all passages that are there, in the order of their rows.

    Args:
        opened: the index.
        mapped: what ``map_vectors`` opened of it, when it could still be; None: that is done here.
    """
    places = [
        (vectors, segment.start, start, min(start + ROWS_AT_ONCE, segment.entry.count))
        for segment, vectors in zip(opened.segments, mapped or map_vectors(opened), strict=True)
        for start in range(0, segment.entry.count, ROWS_AT_ONCE)
    ]

    def there(number: int) -> NDArray[np.bool_]:
        _, first, start, end = places[number]
        return ~opened.is_removed(np.arange(first + start, first + end))

    def load(number: int) -> NDArray[np.floating]:
        vectors, _, start, end = places[number]
        return vectors.vectors(start, end - start)[there(number)]

    sizes = [int(there(number).sum()) for number in range(len(places))]
    return Parts(sizes, opened.manifest.dimension, np.dtype(np.float32), load)


def vectors_of(
    opened: OpenIndex, ids: Sequence[str], mapped: Sequence[FaissIndex] | None = None
) -> NDArray[np.float32]:
    """(n, D) stored vectors of passages that are there; ``mapped`` as above."""
    found = np.empty((len(ids), opened.manifest.dimension), np.float32)
    rows = opened.row_of(ids)
    for segment, vectors in zip(opened.segments, mapped or map_vectors(opened), strict=True):
        own = np.flatnonzero((rows >= segment.start) & (rows < segment.start + segment.entry.count))
        for place in own:
            found[place] = vectors.vectors(int(rows[place]) - segment.start, 1)[0]
    return found
