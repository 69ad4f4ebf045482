"""DPR's training data: questions with their passages in one JSON array, or one object a line.

Layout: https://github.com/facebookresearch/DPR, README, "Retriever input data format". DPR's code passes over keys that it does not
know, so that scores, ranks and sources of passages, and fields of questions, stand beside its own.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from retriever.data.dpr import PASSAGE_IDS, QUESTION_IDS
from retriever.data.formats.model import Context, Data, Example, Format, Holds, Source, Target
from retriever.data.formats.rows import contexts_of, question_of, read_split, write_lines
from retriever.records import Passage

_LISTS = {
    "positives": "positive_ctxs",
    "hard_negatives": "hard_negative_ctxs",
    "other_negatives": "negative_ctxs",
}
_KEYS = ("question", "answers", *_LISTS.values())


def read(source: Source) -> Data:
    """The questions of a file or data set; one without a positive, which DPR's own files hold, comes, too."""
    return Data(source.path, _examples(source))


def _examples(source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(source.path, source.split), start=1):
        lists: dict[str, Any] = {role: contexts_of(record, name) for role, name in _LISTS.items()}
        yield replace(
            question_of(record, number, ("question",), _KEYS),
            answers=record.texts("answers"),
            **lists,
        )


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """A ``.json`` array or ``.jsonl`` lines; a passage whose id was made of its content gets none."""
    write_lines(target.path, map(_record, target.counted(examples)))


def _record(example: Example) -> dict[str, Any]:
    lists = {name: list(map(_context, getattr(example, role))) for role, name in _LISTS.items()}
    query = {"id": example.query.id, "question": example.query.text, "answers": list(example.answers)}
    return {**query, **lists, **example.fields}


def _context(context: Context) -> dict[str, Any]:
    named = {"passage_id": context.id} if context.named else {}
    return {"title": context.title, "text": context.passage.text, **named, **context.notes}


FORMAT = Format(
    "dpr",
    read,
    write,
    Holds(
        answers=True,
        hard_negatives=True,
        other_negatives=True,
        notes=None,
        fields=None,
        reserved=frozenset({*_KEYS, *QUESTION_IDS, *PASSAGE_IDS, "title", "text"}),
    ),
    (".json", ".jsonl"),
)
