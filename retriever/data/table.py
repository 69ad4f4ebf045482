"""Tables with and without a header: which of the two a first row is, and cells by column name."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retriever.errors import InputError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")


def are_names(cells: Sequence[str]) -> bool:
    """Whether every cell could be a column name: a letter or _, then at most 31 letters, digits and _."""
    return all(_IDENTIFIER.fullmatch(cell.strip()) for cell in cells)


def no_column(name: str, cells: Sequence[str], path: Path, line: int | None) -> InputError:
    """The error ``no column named 'sent1' (found: a, b)``; long cells, which are no names, are shortened."""
    shown = [cell.strip() if len(cell.strip()) <= 32 else cell.strip()[:29] + "..." for cell in cells]
    return InputError(f"no column named '{name}' (found: {', '.join(shown)})", path=path, line=line)


@dataclass(frozen=True, slots=True)
class Header:
    """The column names of a table and where each stands."""

    positions: dict[str, int]
    path: Path
    width: int

    @classmethod
    def parse(cls, cells: Sequence[str], path: Path, line: int, required: Sequence[str]) -> "Header":
        """The header in a first row.

        Raises:
            InputError: a required column is missing, or a name occurs twice.
        """
        names = [cell.strip() for cell in cells]
        for name in required:
            if name not in names:
                raise no_column(name, cells, path, line)
            if names.count(name) > 1:
                raise InputError(f"two columns are named '{name}'", path=path, line=line)
        return cls({name: position for position, name in enumerate(names)}, path, len(names))

    def rows(
        self, rows: Iterable[tuple[int, list[str]]], names: Sequence[str]
    ) -> Iterator[tuple[int, list[str]]]:
        """Each row's line, and its cells of these columns; of a column that the table lacks, an empty one.

        Raises:
            InputError: ``expected 3 columns, found 2``: a row is not as wide as the header.
        """
        positions = [self.positions.get(name) for name in names]
        for line, cells in rows:
            check_width(cells, self.width, self.path, line)
            yield line, ["" if each is None else cells[each] for each in positions]


def check_width(cells: Sequence[str], width: int, path: Path, line: int) -> None:
    """Raise InputError ``expected 3 columns, found 2`` unless a row has exactly ``width`` cells."""
    if len(cells) != width:
        columns = "1 column" if width == 1 else f"{width} columns"
        raise InputError(f"expected {columns}, found {len(cells)}", path=path, line=line)
