"""The passages of an index, by id, read from disk when asked for."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from retriever.data.arrow import PassageTable
from retriever.index.layout import current_generation
from retriever.records import Passage


class PassageStore(Mapping[str, Passage]):
    """id → passage over a memory-mapped table; the id column is read at the first look-up."""

    def __init__(self, table: PassageTable) -> None:
        self._table = table

    @cached_property
    def _row(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self._table.ids())}

    def __getitem__(self, id: str) -> Passage:
        return self._table[self._row[id]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._table)


def open_passages(index: Path) -> PassageStore:
    """The passages of an index folder."""
    return PassageStore(PassageTable(current_generation(index).passages))
