"""Labelled texts: one table or file of records."""

import logging
from collections.abc import Container, Iterator, Sequence
from itertools import chain
from pathlib import Path

from retriever.data.hub import HUB
from retriever.data.json_record import JsonRecord, kind_of, read_records
from retriever.data.lines import RECORD_FORMATS, format_of, read_table, require_some
from retriever.data.table import Header, are_names
from retriever.errors import InputError
from retriever.records import LabelledText

logger = logging.getLogger(__name__)

LABEL = "label"
TEXTS = (("text",), ("sentence",), ("sentence1", "sentence2"))
"""What the columns of texts may be called: one text, or a pair."""
_EXPECTED = "'label' and 'text' (or 'sentence'), or 'label', 'sentence1' and 'sentence2'"
_FORMATS = {".tsv", ".csv", *RECORD_FORMATS} - {
    HUB
}  # of a hub's data set nobody knows which splits have labels

Rows = Iterator[tuple[int, list[str]]]


def is_labelled_format(path: Path) -> bool:
    """Whether the file's name says a format that ``read_labelled_texts`` reads."""
    return format_of(path) in _FORMATS


def read_labelled_texts(path: Path) -> Iterator[LabelledText]:
    """The rows of a file, one by one, white space made single spaces as in SentEval.

    ``.tsv`` (split at tabs, quotes being letters) and ``.csv`` (Python's dialect), also with ``.gz``: a first row that holds the
    cell ``label`` is a header, which names ``text`` or ``sentence``, or ``sentence1`` and ``sentence2`` for pairs, other
    columns being ignored; without one there are two columns, label and text. Which of them it is, is logged. ``.jsonl``, ``.json``,
    ``.parquet`` and ``.arrow`` hold objects with these names.

    Raises:
        InputError: a format, header or row that is wrong, an empty label or text, or no row at all.
    """
    kind = format_of(path)
    if not is_labelled_format(path):
        raise InputError("expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file", path=path)
    if kind in RECORD_FORMATS:
        texts: Iterator[LabelledText] = map(_of_record, read_records(path))
    else:
        texts = _of_table(
            path, read_table(path, delimiter="," if kind == ".csv" else "\t", quoted=kind == ".csv")
        )
    return require_some(texts, path, "labelled text")


def labelled(label: str, texts: Sequence[tuple[str, str]], path: Path, line: int) -> LabelledText:
    """A row of a label and one or two (column, text); InputError where one is empty."""
    cells = {LABEL: label, **dict(texts)}
    for name, cell in cells.items():
        cells[name] = " ".join(cell.split())
        if not cells[name]:
            raise InputError(f"'{name}' is empty", path=path, line=line)
    return LabelledText(*cells.values())


def _of_table(path: Path, rows: Rows) -> Iterator[LabelledText]:
    first = next(rows, None)
    if first is None:
        return
    line, cells = first
    if LABEL not in {cell.strip() for cell in cells}:
        yield from _without_header(path, line, cells, rows)
        return
    header = Header.parse(cells, path, line, required=(LABEL,))
    columns = _columns(header.positions)
    if columns is None:
        found = ", ".join(header.positions)
        raise InputError(f"the columns must be {_EXPECTED} (found: {found})", path=path, line=line)
    logger.info("%s: columns by the header: %s", path, ", ".join((LABEL, *columns)))
    for line, (label, *texts) in header.rows(rows, (LABEL, *columns)):
        yield labelled(label, list(zip(columns, texts, strict=True)), path, line)


def _columns(names: Container[str]) -> tuple[str, ...] | None:
    """The columns of texts among the names; None if there are none, or more than one set."""
    found = [columns for columns in TEXTS if all(name in names for name in columns)]
    return found[0] if len(found) == 1 else None


def _without_header(path: Path, first_line: int, first: list[str], rows: Rows) -> Iterator[LabelledText]:
    """Two columns, label and text; a first row that looks like names, and whose label never comes again, is a header after all."""
    logger.info("%s: no header (no cell of line %d is '%s'): label, text", path, first_line, LABEL)
    again = not are_names(first)
    for line, cells in chain([(first_line, first)], rows):
        if len(cells) != 2:
            raise InputError(
                f"expected two columns, label and text, found {len(cells)}; more need a header that names {_EXPECTED}",
                path=path,
                line=line,
            )
        again = again or (line > first_line and cells[0] == first[0])
        yield labelled(cells[0], [("text", cells[1])], path, line)
    if not again:
        raise InputError(
            f"no other row has the label '{first[0].strip()}': if this is a header, it must name {_EXPECTED}",
            path=path,
            line=first_line,
        )


def _of_record(record: JsonRecord) -> LabelledText:
    columns = _columns(record.values)
    if columns is None or LABEL not in record.values:
        raise record.error(f"the fields must be {_EXPECTED} (found: {', '.join(record.values)})")
    label = record.values[LABEL]
    if not isinstance(label, str | int):
        raise record.error(f"'{LABEL}' must be a string or a whole number, found {kind_of(label)}")
    return labelled(str(label), [(name, record.text(name)) for name in columns], record.path, record.line)
