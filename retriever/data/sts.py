"""STS tasks: sentence pairs with the similarity that people gave them, in one file or a folder of files."""

import json
import logging
import math
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path

from retriever.choices import Split
from retriever.data.hub import at_split, is_hub_name, without_shard
from retriever.data.json_record import JsonRecord, kind_of, read_records
from retriever.data.lines import RECORD_FORMATS, format_of, read_lines, read_table
from retriever.data.senteval_sts import (
    Cells,
    is_paired,
    is_sick,
    read_paired_files,
    read_sick,
    scores_file,
    senteval_inputs,
)
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

logger = logging.getLogger(__name__)


def read_sts_task(path: Path, split: Split = "test") -> StsTask:
    """Read an STS task from a file or a folder.

    A file (text also with ``.gz``) is one subset: ``.tsv`` with a header that names ``score``, ``sentence1``
    and ``sentence2`` (any order, other columns ignored; split at tabs, quotes being letters); ``.csv`` with
    such a header, in Python's csv dialect; ``.jsonl``, ``.json``, ``.parquet`` or ``.arrow`` with these names,
    or a data set, ``hf:NAME``, of which ``split`` is read unless the name says another; or the STS benchmark's own
    ``.csv``: tabs, no header, no quoting. As in SentEval, a pair without gold score is dropped, and white space
    becomes single spaces.

    A folder with files for train, dev (or trial, validation) and test, named ``test.tsv``, ``sts-test.csv``, ``stsb_test.tsv``,
    ``test-00000-of-00001.parquet``, SentEval's
    ``SICK_test_annotated.txt`` and the like, is a task whose file for ``split`` is read. Any other folder is a task with
    one subset for each file, or for each two files ``STS.input.NAME.txt`` and ``STS.gs.NAME.txt`` of SentEval's, sorted
    by name.

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
        if not path.exists() and not is_hub_name(path):
            raise InputError("no such file", path=path)
        return _stem(path), {_stem(path): path}
    name = path.resolve().name
    paired = senteval_inputs(path)
    if paired:
        if split != "test":
            raise InputError(f"no {split} file in this folder: it is a test set of SemEval", path=path)
        return name, paired
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


def read_sts_suite(paths: Sequence[Path]) -> dict[Path, StsTask]:
    """The test tasks of files and folders as ``read_sts_task`` reads them; a folder that holds nothing but folders stands for those.

    Raises:
        InputError: as ``read_sts_task``, or two tasks of one name.
    """
    tasks: dict[Path, StsTask] = {}
    names: set[str] = set()
    for path in (each for given in paths for each in _task_paths(given)):
        task = read_sts_task(path)
        if task.name in names:
            raise InputError(
                f"two of the data sets are called '{task.name}'; evaluate them one by one", path=path
            )
        names.add(task.name)
        tasks[path] = task
    return tasks


def _task_paths(path: Path) -> list[Path]:
    if not path.is_dir() or senteval_inputs(path) or any(_is_data(each) for each in path.iterdir()):
        return [path]
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith(".")) or [
        path
    ]


def task_sha256(task: StsTask) -> str:
    """SHA-256 of the pairs of a task, in their order and by subset, whatever the format they were read from."""
    digest = sha256()
    for subset, pairs in task.subsets.items():
        for pair in pairs:
            row = [subset, pair.first, pair.second, pair.score]
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def read_sts_pairs(path: Path) -> list[SentencePair]:
    """Every scored pair of a file, or of all files in a folder, whatever splits they are; formats as ``read_sts_task``.

    SimCSE measures alignment and uniformity on the whole STS benchmark, its train, dev and test pairs.

    Raises:
        InputError: a file or line that is wrong, no gold score in a file, or a folder without files.
    """
    files = (
        list(senteval_inputs(path).values()) or _files_in(path) if path.is_dir() else [at_split(path, "test")]
    )
    return [pair for file in files for _, pair in locate_pairs(file)]


def _files_in(folder: Path) -> list[Path]:
    files = sorted(each for each in folder.iterdir() if _is_data(each))
    if not files:
        raise InputError("no .tsv, .csv, .jsonl or .json file in this folder", path=folder)
    return files


def _is_data(path: Path) -> bool:
    visible = not path.name.startswith(".")
    tables = path.match("SICK_*.txt") or format_of(path) in (".tsv", ".csv", *RECORD_FORMATS)
    return visible and tables and path.is_file()


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _split_of(path: Path) -> Split | None:
    name = without_shard(_stem(path)).lower().removesuffix("_annotated")
    last_word = re.split("[-_.]", name)[-1]
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
    kept = without = 0
    for row in read_cells(path):
        if row[1].strip():
            kept += 1
            yield row[0], _pair(row, path)
        else:
            without += 1
    if not kept:
        raise InputError("no pair with a gold score in this file", path=path)
    if without:
        logger.info("%s: %d pairs without gold score left out, %d kept", path, without, kept)


def read_cells(path: Path) -> Iterator[Cells]:
    """The pairs of one file as they stand there, also those without score; errors as ``read_sts_task``."""
    kind = format_of(path)
    if is_paired(path):
        return read_paired_files(path, scores_file(path))
    if kind in RECORD_FORMATS:
        return map(_object_cells, read_records(path))
    if kind in (".csv", ".tsv", ".txt") and is_sick(path):
        return read_sick(path)
    if kind in (".csv", ".tsv"):
        return _table_cells(path)
    raise InputError(
        "expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file of scored sentence pairs", path=path
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
    for line, (score, first_sentence, second_sentence) in header.rows(rows, _COLUMNS):
        yield line, score, first_sentence, second_sentence
