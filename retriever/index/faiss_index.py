"""The FAISS index behind ``protocols.VectorIndex``: FAISS row numbers never leave this file."""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retriever.data.files import atomic_file
from retriever.errors import InputError
from retriever.index.layout import VECTORS
from retriever.records import Ranking


class FaissIndex:
    """Vectors under string ids, compared by inner product.

    Args:
        dimension: D.
        factory: FAISS factory string.
    """

    def __init__(self, dimension: int, factory: str = "Flat") -> None:
        self._index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
        self._ids: list[str] = []
        self._known: set[str] = set()
        _tune(dimension)

    def add(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Add (N, D) vectors under N new ids.

        Raises:
            ValueError: shapes differ, a value is not finite, or an id is there already (FAISS itself accepts all three).
        """
        if vectors.shape != (len(ids), self._index.d):
            raise ValueError(
                f"{len(ids)} ids with vectors {vectors.shape}, expected ({len(ids)}, {self._index.d})"
            )
        if not np.isfinite(vectors).all():
            raise ValueError("a vector holds a value that is not finite")
        new = set(ids)
        if len(new) != len(ids) or not new.isdisjoint(self._known):
            raise ValueError("an id is in the index already")
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self._ids.extend(ids)
        self._known |= new

    def search(self, queries: NDArray[np.float32], k: int) -> list[Ranking]:
        """(Q, D) → Q rankings of at most k passages; fewer when fewer exist.

        Equal scores are in the order in which the passages were added.
        """
        if queries.ndim != 2 or queries.shape[1] != self._index.d:
            raise ValueError(f"queries {queries.shape}, expected (Q, {self._index.d})")
        k = min(k, len(self))
        if not len(queries) or not k:
            return [Ranking([], []) for _ in queries]
        scores, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), k)  # (Q, k) each
        order = np.lexsort((rows, -scores), axis=1)
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
        return [self._ranking(*found) for found in zip(scores, rows, strict=True)]

    def _ranking(self, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Ranking:
        """Rows → ids. FAISS pads with row -1, which in Python would be the last passage."""
        real = rows >= 0
        return Ranking([self._ids[row] for row in rows[real].tolist()], scores[real])

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def save(self, folder: Path) -> None:
        """Write ``vectors.faiss`` into the folder; the ids are the caller's to keep, in the order of adding."""
        with atomic_file(folder / VECTORS, "wb") as file:
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]

    @classmethod
    def load(cls, folder: Path, ids: Sequence[str]) -> "FaissIndex":
        """Read ``vectors.faiss``, whose rows have these ids.

        Raises:
            InputError: the file is missing or damaged, or the ids are not as many as its rows.
        """
        file = folder / VECTORS
        try:
            index = faiss.read_index(str(file))
        except RuntimeError as error:
            raise InputError(
                f"cannot be read as a FAISS index ({str(error).splitlines()[0]})", path=file
            ) from None
        if index.ntotal != len(ids):
            raise InputError(f"holds {index.ntotal} vectors for {len(ids)} passages", path=file)
        loaded = cls.__new__(cls)
        loaded._index, loaded._ids, loaded._known = index, list(ids), set(ids)
        _tune(index.d)
        return loaded


def _tune(dimension: int) -> None:
    """Let FAISS use matrix products from 8 queries on.

    Its default asks for queries x dimension above 128,000 before it does, which makes middle-sized batches several times
    slower. The variable is global to the process.
    """
    faiss.cvar.distance_compute_blas_threshold = 8 * dimension
