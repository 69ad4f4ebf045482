"""Writing a corpus that ``corpus.read_passages`` reads back unchanged."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from retriever.data.files import atomic_file
from retriever.errors import InputError
from retriever.records import Passage

_SPECIAL = re.compile(r'[\t\r\n"]')


def require_corpus_name(path: Path) -> None:
    """Check, before long work, that a corpus can be written under this name.

    Raises:
        InputError: it ends in neither .tsv nor .jsonl.
    """
    if path.suffix not in _WRITERS:
        raise InputError("the output is a corpus: its name must end in .tsv or .jsonl", path=path)


def write_passages(path: Path, passages: Iterable[Passage]) -> None:
    """Write a corpus atomically: ``.tsv`` as DPR's psgs_w100.tsv, ``.jsonl`` as objects of id, title and text.

    Raises:
        InputError: another suffix, or as ``atomic_file``.
    """
    require_corpus_name(path)
    with atomic_file(path) as file:
        _WRITERS[path.suffix](file, passages)


def _write_tsv(file: IO[str], passages: Iterable[Passage]) -> None:
    file.write("id\ttext\ttitle\n")
    for each in passages:
        file.write("\t".join(map(_quoted, (each.id, each.text, each.title))) + "\n")


def _quoted(cell: str) -> str:
    """The cell in the csv dialect. Not by csv.writer, which before Python 3.13 leaves a lone carriage return without quotes."""
    return '"' + cell.replace('"', '""') + '"' if _SPECIAL.search(cell) else cell


def _write_json_lines(file: IO[str], passages: Iterable[Passage]) -> None:
    for each in passages:
        record = {"id": each.id, "title": each.title, "text": each.text}
        file.write(json.dumps(record, ensure_ascii=False) + "\n")


_WRITERS = {".tsv": _write_tsv, ".jsonl": _write_json_lines}
