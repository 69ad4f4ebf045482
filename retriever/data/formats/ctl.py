"""Our own: questions, one JSON object a line, that name their positive passages, and a corpus beside them.

Written as a folder of questions.jsonl and passages.jsonl, which ``--questions`` and ``--passages`` of every command take.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from retriever.choices import Split
from retriever.data.dpr import QUESTION_IDS
from retriever.data.folders import replaced_folder
from retriever.data.formats.model import Context, Data, Example, Format, Holds, Source, Target
from retriever.data.formats.rows import question_of, read_corpus, read_split, write_lines
from retriever.errors import InputError
from retriever.records import Passage

QUESTIONS, PASSAGES = "questions.jsonl", "passages.jsonl"
_TEXTS, _KEYS = ("question", "text"), ("answers", "positive_passage_id")


def read(source: Source) -> Data:
    """Questions of a file or data set, or questions and corpus of a folder."""
    if not source.path.is_dir():
        return Data(source.path, _examples(source.path, source))
    questions = require_file(source.path, QUESTIONS)
    passages = find_file(source.path, PASSAGES, "passages.tsv")
    corpus = None if passages is None else read_corpus(passages, source.report)
    return Data(questions, _examples(questions, source), corpus)


def require_file(folder: Path, name: str) -> Path:
    """The file of this name, also with ``.gz``; InputError if the folder holds none, or both."""
    found = find_file(folder, name)
    if found is None:
        raise InputError(f"no {name} in this folder", path=folder)
    return found


def find_file(folder: Path, *names: str) -> Path | None:
    """The one file of these names, also with ``.gz``, that a folder holds; InputError if it holds several."""
    files = [folder / f"{name}{zipped}" for name in names for zipped in ("", ".gz")]
    found = [each for each in files if each.is_file()]
    if len(found) > 1:
        names_found = ", ".join(each.name for each in found)
        raise InputError(f"expected one of {names_found}, not all of them", path=folder)
    return found[0] if found else None


def only_split(folder: Path, name: str) -> Split | None:
    """The split of which a folder has the file ``name``, also with ``.gz``; None if it has none.

    Raises:
        InputError: there are several.
    """
    splits: tuple[Split, ...] = get_args(Split)
    found = [each for each in splits if any(folder.glob(f"{name.format(each)}*"))]
    if len(found) > 1:
        raise InputError(f"name the split with --split (found: {', '.join(found)})", path=folder)
    return found[0] if found else None


def _examples(path: Path, source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(path, source.split), start=1):
        yield replace(
            question_of(record, number, _TEXTS, _KEYS),
            answers=record.texts("answers"),
            positives=tuple(map(Context, record.ids("positive_passage_id"))),
        )


def write(target: Target, examples: Iterable[Example], corpus: Callable[[], Iterator[Passage]]) -> None:
    """A folder of questions and, if there are any, passages."""
    with replaced_folder(target.path) as folder:
        write_lines(folder / QUESTIONS, map(_record, target.counted(examples)))
        passages = corpus()
        if first := next(passages, None):
            write_lines(folder / PASSAGES, map(asdict, chain([first], passages)))


def _record(example: Example) -> dict[str, Any]:
    return {
        "id": example.query.id,
        "question": example.query.text,
        "answers": list(example.answers),
        "positive_passage_id": [each.id for each in example.positives],
        **example.fields,
    }


FORMAT = Format(
    "ctl",
    read,
    write,
    Holds(
        answers=True,
        unanswered=True,
        made_ids=True,
        corpus=True,
        fields=None,
        reserved=frozenset({*_TEXTS, *_KEYS, *QUESTION_IDS}),
    ),
)
