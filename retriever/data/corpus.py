"""Passages of a corpus: DPR's psgs_w100.tsv, JSONL (ours and BEIR's), MS MARCO's collection.tsv."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from retriever.data.json_record import read_records
from retriever.data.lines import RECORD_FORMATS, format_of, read_table, require_some
from retriever.data.table import Header, are_names, check_width
from retriever.errors import InputError
from retriever.records import Passage

Located = Iterator[tuple[int, Passage]]


def read_passages(path: Path) -> Iterator[Passage]:
    """The passages of a corpus, streamed in file order.

    Formats, by name (text files also with ``.gz``):

    * ``.tsv`` whose first line names the columns ``id``, ``text`` and, optionally, ``title``, in any order:
      DPR's psgs_w100.tsv, in the dialect of Python's csv module. Other columns are ignored. ``.csv``
      likewise, with commas.
    * ``.tsv`` without header: MS MARCO's collection.tsv, two columns, id and text, quotes being letters.
    * ``.jsonl``, ``.json``, ``.parquet``, ``.arrow`` or a data set, ``hf:NAME:SPLIT``: objects with ``id`` or
      ``_id`` (string or whole number), ``text`` and, optionally, ``title``.

    A passage may have no text at all: BEIR's sets hold such documents.

    Raises:
        InputError: a file or line that is wrong, an id that occurs twice, or no passage at all.
    """
    seen = SeenIds()
    for line, passage in require_some(locate_passages(path), path, "passages"):
        if not seen.add(passage.id):
            first = next(number for number, each in locate_passages(path) if each.id == passage.id)
            raise InputError(
                f"duplicate passage id '{passage.id}' (first in line {first})", path=path, line=line
            )
        yield passage


def read_passage_table(path: Path) -> dict[str, Passage]:
    """All passages of a corpus by id, in file order; errors as ``read_passages``."""
    return {passage.id: passage for passage in read_passages(path)}


def locate_passages(path: Path, passed_over: Callable[[str], object] = lambda column: None) -> Located:
    """As ``read_passages``, each passage with its line; ids may occur twice, and there may be none.

    ``passed_over`` is told of each cell of a table that is not empty, by the name of its column, where the column is not read.
    """
    kind = format_of(path)
    if kind in RECORD_FORMATS:
        return _read_objects(path)
    if kind == ".csv":
        return _read_named_columns(path, ",", passed_over)
    if kind == ".tsv":
        return _read_tsv(path, passed_over)
    raise InputError("expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file of passages", path=path)


def _read_objects(path: Path) -> Located:
    for record in read_records(path):
        passage_id = record.id("id", "_id")
        if passage_id is None:
            raise record.error("no 'id' or '_id'")
        yield record.line, Passage(passage_id, record.text("text"), record.optional_text("title"))


def _read_tsv(path: Path, passed_over: Callable[[str], object]) -> Located:
    rows = read_table(path, delimiter="\t", quoted=False)
    first = next(rows, None)
    if first is not None and (len(first[1]) != 2 or are_names(first[1])):
        yield from _read_named_columns(path, "\t", passed_over)
        return
    for line, cells in chain([] if first is None else [first], rows):
        check_width(cells, 2, path, line)
        yield line, Passage(_checked_id(cells[0], path, line), cells[1])


def _read_named_columns(path: Path, delimiter: str, passed_over: Callable[[str], object]) -> Located:
    rows = read_table(path, delimiter=delimiter, quoted=True)
    first = next(rows, None)
    if first is None:
        return
    header = Header.parse(first[1], path, first[0], required=("id", "text"))
    others = [name for name in header.positions if name not in ("id", "text", "title")]
    for line, (passage_id, text, title, *cells) in header.rows(rows, ("id", "text", "title", *others)):
        for name, cell in zip(others, cells, strict=True):
            if cell:
                passed_over(name)
        yield line, Passage(_checked_id(passage_id, path, line), text, title)


def _checked_id(cell: str, path: Path, line: int) -> str:
    if not cell.strip():
        raise InputError("'id' is empty", path=path, line=line)
    return cell


class SeenIds:
    """The ids seen so far. Those that count up by one, as DPR's millions do, take no memory."""

    def __init__(self) -> None:
        self._run: range = range(0)
        self._others: set[str] = set()

    def add(self, each: str) -> bool:
        """Remember an id; False if it was there already."""
        number = int(each) if each.isascii() and each.isdecimal() and len(each) < 19 else None
        if number is None or str(number) != each:  # "007" is another id than "7"
            return self._add_other(each)
        if number in self._run:
            return False
        if each not in self._others and (not self._run or number == self._run.stop):
            self._run = range(self._run.start if self._run else number, number + 1)
            return True
        return self._add_other(each)

    def _add_other(self, each: str) -> bool:
        before = len(self._others)
        self._others.add(each)
        return len(self._others) > before
