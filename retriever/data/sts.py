"""STS tasks: sentence pairs with the similarity that people gave them, in one file or a folder of files."""

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from retriever.choices import Split
from retriever.data.hub import at_split
from retriever.data.json_record import JsonRecord, kind_of, read_records
from retriever.data.lines import RECORD_FORMATS, format_of, read_lines, read_table, require_some
from retriever.data.table import Header
from retriever.errors import InputError
from retriever.records import SentencePair, StsTask

_SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("dev", "trial", "validation"),
    "test": ("test",),
}
_COLUMNS = ("score", "sentence1", "sentence2")
_STSB_COLUMNS = 7
"""genre, file, year, id, score, sentence1, sentence2; some lines go on with sources and licences."""

Cells = tuple[int, str, str, str]
"""Line, gold score, and the two sentences, as they stand in the file."""


def read_sts_task(path: Path, split: Split = "test") -> StsTask:
    """Read an STS task from a file or a folder.

    A file (text also with ``.gz``) is one subset: ``.tsv`` with a header that names ``score``, ``sentence1``
    and ``sentence2`` (any order, other columns ignored; split at tabs, quotes being letters); ``.csv`` with
    such a header, in Python's csv dialect; ``.jsonl``, ``.json``, ``.parquet`` or ``.arrow`` with these names,
    or a data set, ``hf:NAME``, of which ``split`` is read unless the name says another; or the STS benchmark's own
    ``.csv``: tabs, no header, no quoting. As in SentEval, a pair without gold score is dropped, and white space
    becomes single spaces.

    A folder with files for train, dev (or trial, validation) and test, named ``test.tsv``, ``sts-test.csv``
    and the like, is a task whose file for ``split`` is read. Any other folder is a task with one subset for
    each file, sorted by name.

    The task is named after the folder, or the file without its suffix.

    Raises:
        InputError: a file or line that is wrong, no gold score at all, or a folder without a file for the
            split.
    """
    name, files = sts_files(path, split)
    return StsTask(name, {subset: [pair for _, pair in locate_pairs(file)] for subset, file in files.items()})


def sts_files(path: Path, split: Split = "test") -> tuple[str, dict[str, Path]]:
    """The name of a task, and the file of each of its subsets; see ``read_sts_task``."""
    if not path.is_dir():
        path = at_split(path, split)
        return _stem(path), {_stem(path): path}
    name = path.resolve().name
    files = _files_in(path)
    if any(_split_of(file) for file in files):
        return name, {name: _file_of(split, files, path)}
    if split != "test":
        raise InputError(f"no {split} file in this folder (found: {_names(files)})", path=path)
    subsets: dict[str, Path] = {}
    for file in files:
        if _stem(file) in subsets:
            raise InputError(f"two files are named '{_stem(file)}', suffixes aside", path=path)
        subsets[_stem(file)] = file
    return name, subsets


def read_sts_pairs(path: Path) -> list[SentencePair]:
    """Every scored pair of a file, or of all files in a folder, whatever splits they are; formats as ``read_sts_task``.

    SimCSE measures alignment and uniformity on the whole STS benchmark, its train, dev and test pairs.

    Raises:
        InputError: a file or line that is wrong, no gold score in a file, or a folder without files.
    """
    files = _files_in(path) if path.is_dir() else [at_split(path, "test")]
    return [pair for file in files for _, pair in locate_pairs(file)]


def _files_in(folder: Path) -> list[Path]:
    files = sorted(each for each in folder.iterdir() if _is_data(each))
    if not files:
        raise InputError("no .tsv, .csv, .jsonl or .json file in this folder", path=folder)
    return files


def _is_data(path: Path) -> bool:
    visible = not path.name.startswith(".")
    return visible and path.is_file() and format_of(path) in (".tsv", ".csv", *RECORD_FORMATS)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _split_of(path: Path) -> Split | None:
    last_word = _stem(path).lower().rpartition("-")[2]
    return next((split for split, names in _SPLIT_NAMES.items() if last_word in names), None)


def _file_of(split: Split, files: list[Path], folder: Path) -> Path:
    found = [file for file in files if _split_of(file) == split]
    if not found:
        raise InputError(f"no {split} file in this folder (found: {_names(files)})", path=folder)
    if len(found) > 1:
        raise InputError(f"more than one {split} file in this folder: {_names(found)}", path=folder)
    return found[0]


def _names(files: list[Path]) -> str:
    return ", ".join(file.name for file in files)


def locate_pairs(path: Path) -> Iterator[tuple[int, SentencePair]]:
    """The scored pairs of one file, each with its line; errors as ``read_sts_task``."""
    kind = format_of(path)
    if kind in RECORD_FORMATS:
        rows: Iterator[Cells] = map(_object_cells, read_records(path))
    elif kind in (".csv", ".tsv"):
        rows = _table_cells(path)
    else:
        raise InputError(
            "expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file of scored sentence pairs",
            path=path,
        )
    yield from require_some(
        ((row[0], _pair(row, path)) for row in rows if row[1].strip()), path, "pair with a gold score"
    )


def _pair(row: Cells, path: Path) -> SentencePair:
    line, score, first, second = row
    try:
        number = float(score)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"score must be a finite number, found '{score.strip()}'", path=path, line=line)
    sentences = []
    for name, text in (("sentence1", first), ("sentence2", second)):
        sentences.append(" ".join(text.split()))
        if not sentences[-1]:
            raise InputError(f"'{name}' is empty", path=path, line=line)
    return SentencePair(sentences[0], sentences[1], number)


def _object_cells(record: JsonRecord) -> Cells:
    score = record.values.get("score", record)
    if score is record:
        raise record.error("no 'score'")
    if isinstance(score, bool) or not isinstance(score, str | int | float | None):
        raise record.error(f"'score' must be a number, found {kind_of(score)}")
    return (
        record.line,
        "" if score is None else str(score),
        record.text("sentence1"),
        record.text("sentence2"),
    )


def _table_cells(path: Path) -> Iterator[Cells]:
    _, first_line = next(read_lines(path))
    is_csv = format_of(path) == ".csv" and "\t" not in first_line  # the STS benchmark's .csv holds tabs
    rows = read_table(path, delimiter="," if is_csv else "\t", quoted=is_csv)
    first = next(rows, None)
    if first is None:
        return
    if len(first[1]) >= _STSB_COLUMNS and not set(_COLUMNS) & {cell.strip() for cell in first[1]}:
        for line, cells in chain([first], rows):
            if len(cells) < _STSB_COLUMNS:
                raise InputError(
                    f"expected {_STSB_COLUMNS} columns, found {len(cells)}", path=path, line=line
                )
            yield line, cells[4], cells[5], cells[6]
        return
    header = Header.parse(first[1], path, first[0], required=_COLUMNS)
    for line, cells in rows:
        header.check(cells, line)
        yield (
            line,
            header.cell(cells, "score"),
            header.cell(cells, "sentence1"),
            header.cell(cells, "sentence2"),
        )
