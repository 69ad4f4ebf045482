"""What the formats share: fields of JSON objects as questions and passages, files of passages, and writing lines."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import IO, Any

from retriever.choices import Split
from retriever.data.corpus import locate_passages
from retriever.data.dpr import PASSAGE_IDS, QUESTION_IDS, passage_id_of, question_id_of
from retriever.data.files import atomic_file
from retriever.data.formats.model import Context, Example, LocatedPassages, Report
from retriever.data.hub import at_split
from retriever.data.json_record import JsonRecord, read_records
from retriever.data.lines import RECORD_FORMATS, format_of, require_some
from retriever.errors import InputError
from retriever.records import Passage, Query, content_id


def read_split(path: Path, split: Split | None) -> Iterator[JsonRecord]:
    """The objects of a file or data set, of which there must be one."""
    path = at_split(path, split or "train")
    return require_some(read_records(path), path, "questions")


def question_of(record: JsonRecord, number: int, names: Sequence[str], known: Iterable[str]) -> Example:
    """The question under the first of the names that is there, still without passages, and the fields that are not known."""
    name = record.first_of(*names) or names[0]
    text = record.text(name)
    if not text.strip():
        raise record.error(f"'{name}' is empty")
    query_id = question_id_of(record)
    return Example(
        Query(query_id or str(number), text),
        fields=rest(record, (name, *known), QUESTION_IDS),
        named=query_id is not None,
        line=record.line,
    )


def contexts_of(record: JsonRecord, name: str) -> tuple[Context, ...]:
    """A list of passages, each with title, text, an optional id, and notes."""
    return tuple(map(context_of, record.records(name)))


def context_of(record: JsonRecord) -> Context:
    """A passage with title and text, an optional id (an empty one is none), and notes."""
    text, title = record.text("text"), record.optional_text("title")
    passage_id = passage_id_of(record)
    notes = rest(record, ("text", "title"), PASSAGE_IDS)
    return (
        unnamed(text, title, notes) if passage_id is None else Context(passage_id, text, title, notes=notes)
    )


def unnamed(text: str, title: str = "", notes: Mapping[str, Any] | None = None) -> Context:
    """A passage that came without id."""
    return Context(content_id(text, title), text, title, named=False, notes=notes or {})


def rest(record: JsonRecord, known: Iterable[str], ids: Iterable[str] = ()) -> dict[str, Any]:
    """The fields that are not empty, not known, and not the one of several ids that was taken."""
    taken = {*known, record.first_of(*(name for name in ids if record.values.get(name) != ""))}
    return {
        name: value
        for name, value in record.values.items()
        if name not in taken and value is not None and value not in ("", [], {})
    }


def read_corpus(path: Path, report: Report) -> LocatedPassages:
    """The passages of a file in any layout that has them, with their places; fields that are not read are counted.

    Beyond ``corpus.locate_passages``: Tevatron's ``docid``, and ``document_text`` for ``text``.
    """

    def passed_over(name: str) -> None:
        report.dropped[f"'{name}' of the corpus"] += 1

    is_table = format_of(path) not in RECORD_FORMATS
    located = locate_passages(path, passed_over) if is_table else _passages(path, passed_over)
    for line, passage in require_some(located, path, "passages"):
        yield f"{path.name}:{line}", passage


def _passages(path: Path, passed_over: Callable[[str], object]) -> Iterator[tuple[int, Passage]]:
    for record in read_records(path):
        passage_id = record.id(*PASSAGE_IDS)
        if passage_id is None:
            raise record.error("no 'id', '_id' or 'docid'")
        name = record.first_of("text", "document_text") or "text"
        for other in rest(record, (name, "title"), PASSAGE_IDS):
            passed_over(other)
        yield record.line, Passage(passage_id, record.text(name), record.optional_text("title"))


def write_lines(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line, or for a ``.json`` file an array of them; errors as ``write_objects``."""
    if path.suffix == ".json":
        write_objects(path, objects, ("[\n", ",\n", "\n]\n"))
    else:
        write_objects(path, objects, ("", "\n", "\n"))


def write_objects(path: Path, objects: Iterable[Mapping[str, Any]], marks: tuple[str, str, str]) -> None:
    """JSON objects, streamed, with what stands before, between and after them; the file appears when all are written.

    Raises:
        InputError: a number is NaN or infinite, or as ``atomic_file``.
    """
    before, between, after = marks
    with atomic_file(path) as file:
        number = 0
        for number, each in enumerate(objects, start=1):
            file.write(between if number > 1 else before)
            file.write(json_text(each, path))
        if number:
            file.write(after)


def json_text(value: Mapping[str, Any], path: Path) -> str:
    """A JSON object on one line; dates, which Parquet files may hold, as text."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_date_text)
    except ValueError:
        start = str(value)[:40]
        raise InputError(
            f"a number is NaN or infinite, which JSON does not know: {start}...", path=path
        ) from None


def is_writable(value: object) -> bool:
    """Whether JSON can hold a field: text, numbers, dates as text, and lists and objects of these; bytes it cannot."""
    if isinstance(value, dict):
        return all(map(is_writable, value.values()))
    if isinstance(value, list):
        return all(map(is_writable, value))
    return value is None or isinstance(value, str | int | float | date | time)


def _date_text(value: object) -> str:
    if isinstance(value, date | time):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def csv_writer(file: IO[Any], delimiter: str) -> Callable[[Sequence[str]], object]:
    """Writes a row in Python's csv dialect.

    A row with a carriage return is quoted whole: Python quotes those only where they end lines, and does not read them back.
    """
    plain, quoted = (
        csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=each)
        for each in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    return lambda row: (quoted if any("\r" in cell for cell in row) else plain).writerow(row)


def one_line(text: str, report: Report) -> str:
    """The text for a table without quotes: tabs and line ends, which would end its cell, as spaces, and counted."""
    flat = text.translate({ord(each): " " for each in "\t\n\r"})
    if flat != text:
        report.changed["texts whose tabs and line ends became spaces"] += 1
    return flat
