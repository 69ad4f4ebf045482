"""Lines, JSON objects and table rows of a text file, each with its line number."""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from retriever.data.files import parse_json, unreadable
from retriever.data.hub import HUB, is_hub_name
from retriever.data.json_array import checked_object, read_json_array
from retriever.errors import InputError

T = TypeVar("T")
_BOM = b"\xef\xbb\xbf"
_LONGEST_FIELD = 1 << 24
"""Characters in one quoted field: above any passage, and a quote that is never closed stops here."""


_TABLES = (".parquet", ".arrow", HUB)
RECORD_FORMATS = (".jsonl", ".json", *_TABLES)
"""What holds objects with named fields, as ``read_json_objects`` reads them."""


def format_of(path: Path) -> str:
    """The file's format by its name, in lower case, compression aside: ``".tsv"`` for ``nli.TSV.gz``.

    ``"hf:"`` for a data set's name in the place of a file's.
    """
    if is_hub_name(path):
        return HUB
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


class EmptyFile(InputError):
    """There is nothing in a file."""


@contextmanager
def open_input(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes, decompressed when the name ends in ``.gz``.

    Raises:
        InputError: missing, a folder, not readable, empty, or (while it is read) not a whole gzip file.
    """
    zipped = path.suffix.lower() == ".gz"
    try:
        file = cast(IO[bytes], gzip.open(path, "rb")) if zipped else path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None
    with file:
        try:
            if not cast(Any, file).peek(1):
                raise EmptyFile("file is empty", path=path)
            yield file
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InputError("not a complete gzip file", path=path) from None


def _decoded_lines(path: Path) -> Iterator[str]:
    r"""Lines with their line ends; split at ``\n`` only, as some texts hold U+2028 or form feeds."""
    with open_input(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                yield (line.removeprefix(_BOM) if number == 1 else line).decode()
            except UnicodeDecodeError:
                raise InputError("not UTF-8", path=path, line=number) from None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Line number (from 1) and line, without its end (``\n`` or ``\r\n``) and without a byte order mark.

    Raises:
        InputError: as ``open_input``, or a line that is not UTF-8.
    """
    for number, line in enumerate(_decoded_lines(path), start=1):
        yield number, line.removesuffix("\n").removesuffix("\r")


def read_json_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object: ``.jsonl`` holds one object a line, ``.json`` one array, which is streamed.

    A row of a ``.parquet`` or ``.arrow`` file, or of a data set (``hf:NAME``), is an object, too, and its number
    stands for the line.
    Blank lines are skipped. A ``.json`` file that does not begin with ``[`` is read as one object a line,
    too: many tools write such files.

    Raises:
        InputError: as ``read_lines``; not JSON, not an object, or a string that is no text (half a surrogate
            pair).
    """
    if format_of(path) in _TABLES:
        from retriever.data.arrow import read_rows

        for number, row in enumerate(read_rows(path), start=1):
            yield number, checked_object(row, "", path, number)
        return
    if format_of(path) == ".json" and _begins_with_bracket(path):
        with open_input(path) as file:
            yield from read_json_array(file, path)
        return
    for number, line in read_lines(path):
        if not line.strip():
            continue
        yield number, checked_object(parse_json(line, path=path, line=number), line, path, number)


def _begins_with_bracket(path: Path) -> bool:
    with open_input(path) as file:
        while line := file.readline(4096):
            if start := line.removeprefix(_BOM).strip():
                return start.startswith(b"[")
    return False


def read_table(path: Path, *, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """Rows of a table with the number of the line on which each begins; blank lines are skipped.

    Args:
        path: the file.
        delimiter: one character between the columns.
        quoted: True for Python's csv dialect, in which a quoted cell may hold delimiters and line ends; False
            where quotes are letters like any other (STS, NLI and MS MARCO files).

    Raises:
        InputError: as ``read_lines``, or quotes that are wrong in the csv dialect.
    """
    if quoted:
        yield from _read_quoted(path, delimiter)
        return
    for number, line in read_lines(path):
        if line:
            yield number, line.split(delimiter)


def _read_quoted(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # Strict: else a quote that is never closed swallows the rest of the file, and nobody is told.
    rows = csv.reader(_decoded_lines(path), delimiter=delimiter, strict=True)
    while True:
        first_line = rows.line_num + 1
        default = csv.field_size_limit(_LONGEST_FIELD)  # process-wide, so it is put back after every row
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise InputError(f"wrong quotes or line ends: {error}", path=path, line=first_line) from None
        finally:
            csv.field_size_limit(default)
        if row is None:
            return
        if row:
            yield first_line, row


def require_some(records: Iterable[T], path: Path, what: str) -> Iterator[T]:
    """The records as they come; InputError ``no {what} in this file`` when there were none."""
    found = False
    for record in records:
        found = True
        yield record
    if not found:
        raise InputError(f"no {what} in this file", path=path)
