"""Which format a file or folder is in, by what is in it."""

import re
from itertools import islice
from pathlib import Path
from typing import get_args

from retriever.choices import DataFormat, Split
from retriever.data.formats.squad import is_squad
from retriever.data.hub import at_split, is_hub_name
from retriever.data.lines import RECORD_FORMATS, format_of, read_json_objects, read_table
from retriever.errors import InputError

_FOLDERS: dict[DataFormat, tuple[str, ...]] = {
    "beir": ("corpus.jsonl", "queries.jsonl"),
    "msmarco": ("collection.tsv",),
    "ctl": ("questions.jsonl",),
    "tevatron-ids": ("corpus.jsonl",),
}
_KEYS: dict[DataFormat, tuple[set[str], ...]] = {
    "dpr": ({"question", "positive_ctxs"},),
    "tevatron": ({"positive_passages"},),
    "tevatron-ids": ({"positive_document_ids"},),
    "flagembedding": ({"query", "pos"},),
    "triplets": ({"anchor", "positive"}, {"sent0", "sent1"}),
    "squad": ({"context", "question"},),
    "ctl": ({"question"}, {"_id", "text"}),
}
"""Fields that a format's objects have, any of several sets; the first format that fits."""


_ID = re.compile(r"\S*\d\S*")
"""One word with a digit, in the first cell of a table: no sentence."""


def detect(path: Path, split: Split | None) -> DataFormat:
    """The format of a file, folder or data set.

    Raises:
        InputError: it is none that is known; what is there is named.
    """
    if not is_hub_name(path) and not path.exists():
        raise InputError("no such file or folder", path=path)
    if is_hub_name(path) or format_of(path) in RECORD_FORMATS:
        return "squad" if is_squad(path) else _by_keys(at_split(path, split or "train"))
    if path.is_dir():
        return _by_files(path)
    if format_of(path) in (".csv", ".tsv"):
        return _by_columns(path)
    raise _unknown("a file of this name", path)


def _by_files(folder: Path) -> DataFormat:
    for name, files in _FOLDERS.items():
        if all((folder / each).is_file() or (folder / f"{each}.gz").is_file() for each in files):
            return name
    found = ", ".join(each.name for each in islice(sorted(folder.iterdir()), 8))
    raise _unknown(f"a folder of {found or 'nothing'}", folder)


def _by_keys(path: Path) -> DataFormat:
    _, first = next(read_json_objects(path), (0, {}))
    for name, sets in _KEYS.items():
        if any(keys <= first.keys() for keys in sets):
            return name
    raise _unknown(f"objects of {', '.join(map(repr, islice(first, 8))) or 'nothing'}", path)


def _by_columns(path: Path) -> DataFormat:
    cells = _first_row(path, "\t")
    if len(cells) == 2 and cells[1].strip().startswith("["):
        return "qa-csv"
    if format_of(path) == ".csv":
        cells = _first_row(path, ",")
    if {"id", "text"} <= set(cells):
        raise InputError("this is a corpus: INPUT is the questions, and this is --passages", path=path)
    if len(cells) > 1 and (_ID.fullmatch(cells[0].strip()) or "query-id" in cells):
        raise _unknown(
            "a table of ids (of MS MARCO's or BEIR's tables give the folder, and a corpus as --passages)",
            path,
        )
    if len(cells) > 1:
        return "triplets"
    raise _unknown("a table of one column", path)


def _first_row(path: Path, delimiter: str) -> list[str]:
    """The first row in the csv dialect or, where quotes are letters like any other, without it."""
    try:
        _, cells = next(read_table(path, delimiter=delimiter, quoted=True), (0, []))
    except InputError:
        _, cells = next(read_table(path, delimiter=delimiter, quoted=False), (0, []))
    return cells


def _unknown(found: str, path: Path) -> InputError:
    names = ", ".join(get_args(DataFormat))
    return InputError(f"cannot tell the format of {found}: say it with --from ({names})", path=path)
