"""SimCSE's training data: sentences, pairs, or triplets with hard negatives."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from retriever.data.hub import at_split
from retriever.data.json_record import JsonRecord, read_records
from retriever.data.lines import RECORD_FORMATS, format_of, read_lines, read_table, require_some
from retriever.data.table import are_names, check_width, no_column
from retriever.errors import InputError, stop_at
from retriever.records import SimcseExample

logger = logging.getLogger(__name__)

_ANCHOR = ("sent0", "anchor")
_POSITIVE = ("sent1", "positive")
_HARD_NEGATIVE = re.compile(r"(?:hard_neg|negative)_?\d*")

Rows = Iterator[tuple[int, list[str]]]
Located = Iterator[tuple[int, SimcseExample]]


def read_simcse_examples(path: Path) -> Iterator[SimcseExample]:
    """Training examples, streamed in file order.

    Formats, by name (text files also with ``.gz``):

    * ``.txt``: one sentence a line, its own positive (unsupervised); blank lines are skipped.
    * ``.csv`` (Python's csv dialect), ``.tsv`` (split at tabs, quotes being letters), ``.jsonl``, ``.json``,
      ``.parquet``, ``.arrow``, and a data set, ``hf:NAME`` (split "train" unless the name says another): columns
      by name, ``sent0`` or ``anchor``, ``sent1`` or ``positive``, and any number of ``hard_neg`` or ``negative``,
      which may be numbered (``hard_neg_0``, ``negative2``); others are ignored. A lone anchor column holds sentences.
      An empty hard negative is left out.
    * ``.csv`` and ``.tsv`` without header: by position; 1 column is sentences, 2 are pairs, from the third on
      hard negatives.

    The first row is a header if one of its cells is one of those names, or if every cell looks like a column
    name (a letter or _, then at most 31 letters, digits and _) and more rows follow.

    Raises:
        InputError: a file or line that is wrong, a column that is missing, an empty anchor or positive, or no
            example.
    """
    for _, example in locate_simcse_examples(path):
        yield example


def locate_simcse_examples(
    path: Path,
    *,
    refuse: Callable[[InputError], None] = stop_at,
    passed_over: Callable[[str], object] | None = None,
) -> Located:
    """As ``read_simcse_examples``, each example with its line.

    Args:
        path: the file or data set.
        refuse: called with what is wrong with an example, which is then left out.
        passed_over: told of each value that is not used, by the name of its column; by default a warning names the columns.
    """
    path = at_split(path, "train")
    kind = format_of(path)
    if kind == ".txt":
        sentences = ((number, SimcseExample(line)) for number, line in read_lines(path) if line.strip())
        yield from require_some(sentences, path, "examples")
    elif kind in (".csv", ".tsv"):
        rows = read_table(path, delimiter="," if kind == ".csv" else "\t", quoted=kind == ".csv")
        yield from _read_columns(
            path, require_some(rows, path, "examples"), refuse, _Unused(path, passed_over)
        )
    elif kind in RECORD_FORMATS:
        yield from _read_objects(path, refuse, _Unused(path, passed_over))
    else:
        raise InputError(
            "expected a .txt, .csv, .tsv, .jsonl, .json, .parquet or .arrow file of training data", path=path
        )


class _Unused:
    """Says which columns of a file are not used."""

    def __init__(self, path: Path, passed_over: Callable[[str], object] | None) -> None:
        self._path, self._passed_over = path, passed_over
        self._told: set[str] = set()

    def see(self, columns: "_Columns", values: Sequence[object], line: int) -> None:
        """One row: each of its values, or with a warning each column once."""
        if self._passed_over is not None:
            for at, name in columns.unused.items():
                if values[at] not in (None, "", [], {}):
                    self._passed_over(name)
        elif new := [name for name in columns.unused.values() if name not in self._told]:
            logger.warning("%s:%d: columns that are not used: %s", self._path, line, ", ".join(new))
            self._told.update(new)


class OneKind:
    """The examples of one run's files: all have positives of their own or, as the first of them, none has."""

    def __init__(self) -> None:
        self._supervised: bool | None = None

    def locate(self, path: Path, *, refuse: Callable[[InputError], None] = stop_at) -> Located:
        """As ``locate_simcse_examples``; an example of the other kind is refused."""
        for line, example in locate_simcse_examples(path, refuse=refuse):
            supervised = example.positive is not None
            if self._supervised in (None, supervised):
                self._supervised = supervised
                yield line, example
            else:
                message = "sentences without positives and pairs cannot be mixed in one run"
                refuse(InputError(message, path=path, line=line))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which of a table's or an object's columns is what; labels are for error messages, ``unused`` are names by position."""

    labels: tuple[str, ...]
    anchor: int
    positive: int | None
    hard_negatives: tuple[int, ...]
    unused: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def by_name(cls, cells: Sequence[str], path: Path, line: int) -> "_Columns":
        """The columns by their names."""
        names = [cell.strip() for cell in cells]
        anchor = next((names.index(each) for each in _ANCHOR if each in names), None)
        positive = next((names.index(each) for each in _POSITIVE if each in names), None)
        negatives = tuple(at for at, name in enumerate(names) if _HARD_NEGATIVE.fullmatch(name))
        if positive is None and (anchor is None or len(names) > 1):
            raise no_column(_POSITIVE[_ANCHOR[1] in names], cells, path, line)
        if anchor is None:
            raise no_column(_ANCHOR[_POSITIVE[1] in names], cells, path, line)
        used = {anchor, positive, *negatives}
        unused = {at: name for at, name in enumerate(names) if at not in used}
        return cls(tuple(f"'{name}'" for name in names), anchor, positive, negatives, unused)

    @classmethod
    def by_position(cls, width: int) -> "_Columns":
        labels = tuple(f"column {position + 1}" for position in range(width))
        return cls(labels, 0, 1 if width > 1 else None, tuple(range(2, width)))

    def example(self, cells: Sequence[str], path: Path, line: int) -> SimcseExample:
        for column in (self.anchor, self.positive):
            if column is not None and not cells[column].strip():
                raise InputError(f"{self.labels[column]} is empty", path=path, line=line)
        return SimcseExample(
            cells[self.anchor],
            None if self.positive is None else cells[self.positive],
            tuple(cells[column] for column in self.hard_negatives if cells[column].strip()),
        )


def _is_known(name: str) -> bool:
    return name in _ANCHOR or name in _POSITIVE or _HARD_NEGATIVE.fullmatch(name) is not None


def _read_columns(path: Path, rows: Rows, refuse: Callable[[InputError], None], unused: _Unused) -> Located:
    first = next(rows)
    second = next(rows, None)
    line, cells = first
    width = len(cells)
    has_header = any(_is_known(cell.strip()) for cell in cells) or (are_names(cells) and second is not None)
    columns = _Columns.by_name(cells, path, line) if has_header else _Columns.by_position(width)
    header_line = line
    rows = chain([] if has_header else [first], [] if second is None else [second], rows)
    for line, cells in require_some(rows, path, "examples"):
        try:
            check_width(cells, width, path, line)
            unused.see(columns, cells, header_line)
            example = columns.example(cells, path, line)
        except InputError as error:
            refuse(error)
        else:
            yield line, example


def _read_objects(path: Path, refuse: Callable[[InputError], None], unused: _Unused) -> Located:
    names: tuple[str, ...] = ()
    for record in require_some(read_records(path), path, "examples"):
        try:
            if not names or tuple(record.values) != names:  # in most files all objects have the same fields
                columns = _Columns.by_name(tuple(record.values), path, record.line)
                names = tuple(record.values)
            unused.see(columns, tuple(record.values.values()), record.line)
            example = _example_of(record, names, columns)
        except InputError as error:
            refuse(error)
        else:
            yield record.line, example


def _example_of(record: JsonRecord, names: tuple[str, ...], columns: _Columns) -> SimcseExample:
    cells = [""] * len(names)
    for column in (columns.anchor, *columns.hard_negatives, columns.positive):
        if column is not None:
            optional = column in columns.hard_negatives
            cells[column] = record.optional_text(names[column]) if optional else record.text(names[column])
    return columns.example(cells, record.path, record.line)
