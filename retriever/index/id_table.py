"""Passage id → row of a segment, without holding the ids: their hashes, sorted, memory-mapped, 16 bytes a passage."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.data.hashes import hashes_of
from retriever.errors import InputError

HASHES, ROWS = "id_hashes.npy", "id_rows.npy"

ABSENT = -1
"""In place of a row: no such id."""


class IdTable:
    """Finds rows by id.

    Args:
        hashes: (N,) uint64, sorted.
        rows: (N,) int64, the row of each.
        id_of: row → id, to tell an id from another with the same hash.
    """

    def __init__(
        self, hashes: NDArray[np.uint64], rows: NDArray[np.int64], id_of: Callable[[int], str]
    ) -> None:
        self._hashes, self._rows, self._id_of = hashes, rows, id_of

    @classmethod
    def load(cls, folder: Path, count: int, id_of: Callable[[int], str]) -> "IdTable":
        """Map what ``write_id_table`` wrote.

        Raises:
            InputError: a file is missing, damaged, or not for so many passages.
        """
        hashes, rows = (_mapped(folder / name, count) for name in (HASHES, ROWS))
        return cls(hashes, rows, id_of)

    def rows_of(self, ids: Sequence[str], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(len(ids),) rows, of ids with their hashes; ``ABSENT`` where there is no such passage."""
        first = np.searchsorted(self._hashes, hashes)
        return np.array(
            [self._row_of(id, hash, start) for id, hash, start in zip(ids, hashes, first, strict=True)],
            np.int64,
        )

    def _row_of(self, id: str, hash: np.uint64, start: int) -> int:
        """The row among those with this hash, which begin at ``start``: one, nearly always."""
        while start < len(self._hashes) and self._hashes[start] == hash:
            row = int(self._rows[start])
            if self._id_of(row) == id:
                return row
            start += 1
        return ABSENT


def write_id_table(folder: Path, ids: Iterable[str]) -> None:
    """Write the table of ids that stand in the order of their rows."""
    hashes = hashes_of(ids)
    rows = np.argsort(hashes, kind="stable")
    np.save(folder / HASHES, hashes[rows], allow_pickle=False)
    np.save(folder / ROWS, rows.astype(np.int64), allow_pickle=False)


def _mapped(file: Path, count: int) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as a table of ids ({error})", path=file) from None
    if found.shape != (count,):
        raise InputError(f"holds {len(found)} ids for {count} passages", path=file)
    return found
