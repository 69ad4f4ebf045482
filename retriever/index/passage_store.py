"""Passages by id on the disk: an Arrow file and a table of ids, memory-mapped."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.hashes import hashes_of
from retriever.index.id_table import ABSENT, IdTable, write_id_table
from retriever.index.layout import PASSAGES
from retriever.records import Passage


class PassageStore(Mapping[str, Passage]):
    """The passages in a folder, by id; only what is looked up leaves the disk.

    Args:
        folder: that ``write_passage_store`` wrote.

    Raises:
        InputError: a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.table = PassageTable(folder / PASSAGES)
        self._ids = IdTable.load(folder, len(self.table), lambda row: self.table.ids([row])[0])

    def __getitem__(self, id: str) -> Passage:
        row = self.row_of(id)
        if row == ABSENT:
            raise KeyError(id)
        return self.table[row]

    def __iter__(self) -> Iterator[str]:
        return self.table.all_ids()

    def __len__(self) -> int:
        return len(self.table)

    def row_of(self, id: str) -> int:
        """The row of a passage; ``ABSENT`` where there is none."""
        return int(self._ids.rows_of([id], hashes_of([id]))[0])

    def ids_of(self, rows: NDArray[np.int64]) -> list[str]:
        """The ids of (n,) rows."""
        return self.table.ids(rows.tolist())


class Recent(Mapping[str, Passage]):
    """Other passages by id, of which those that were looked up last stay in memory.

    Args:
        passages: on the disk.
        size: how many stay.
    """

    def __init__(self, passages: Mapping[str, Passage], size: int = 65_536) -> None:
        self._passages = passages
        self._look_up = lru_cache(size)(passages.__getitem__)

    def __getitem__(self, id: str) -> Passage:
        return self._look_up(id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._passages)

    def __len__(self) -> int:
        return len(self._passages)


def write_passage_store(folder: Path, passages: Iterable[Passage]) -> str:
    """Write passages into an existing folder.

    Returns:
        The SHA-256 of their content.
    """
    _, sha256 = write_passage_table(folder / PASSAGES, passages)
    write_id_table(folder, PassageTable(folder / PASSAGES).all_ids())
    return sha256
