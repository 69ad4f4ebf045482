"""Results on stdout: tables for people, JSON lines for programs. Nothing else is ever written there."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence

from retriever.data.files import without_surrogates

Cell = str | int | float | None


def print_json(value: object) -> None:
    """One object on one line; NaN and the infinities, which JSON does not have, as null."""
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False)
    sys.stdout.write(without_surrogates(text) + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """A line as it is: the path of what was made."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """A table: drawn to fit on a terminal; elsewhere plain aligned columns, however wide, without colour.

    Args:
        title: a line above the table; empty for none.
        columns: the headings.
        rows: as many cells each as there are columns; None is shown as an empty cell.
    """
    cells = [list(row) for row in rows]
    if sys.stdout.isatty():
        draw_table(title, columns, cells)
        return
    texts = [list(columns), *([" ".join(shown(cell).split()) for cell in row] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in texts]
    sys.stdout.write("\n".join([title, *lines] if title else lines) + "\n")
    sys.stdout.flush()


def draw_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """The terminal's table; columns of numbers stand to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left")
    for place, heading in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(Text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *(Text(shown(cell)) for cell in row)
        )  # Text: square brackets in a passage are no markup
    Console(file=sys.stdout).print(table)


def shown(cell: Cell) -> str:
    """A cell as text: shares with four decimals, percentages (metrics times 100) with two."""
    if cell is None:
        return ""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.2f}" if abs(cell) > 1 else f"{cell:.4f}"


def finite(value: object) -> object:
    """The same plain data with None for every number that is not finite, and lists for tuples."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value
