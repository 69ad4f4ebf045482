"""Tevatron's training data with the passages in it: ``{query_id, query, answers, positive_passages, negative_passages}``.

Layout: https://github.com/texttron/tevatron, README of version 1.5, "Data Preparation", and docs/datasets.md: a passage is
``{docid, title, text}``; answers are there for data sets that have some.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from retriever.data.formats.model import Context, Data, Example, Format, Holds, Source, Target
from retriever.data.formats.rows import contexts_of, question_of, read_split, write_lines
from retriever.records import Passage

_KEYS = ("answers", "positive_passages", "negative_passages")


def read(source: Source) -> Data:
    """The questions of a file or data set."""
    return Data(source.path, _examples(source))


def _examples(source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(source.path, source.split), start=1):
        yield replace(
            question_of(record, number, ("query", "query_text"), _KEYS),
            answers=record.texts("answers"),
            positives=contexts_of(record, "positive_passages"),
            hard_negatives=contexts_of(record, "negative_passages"),
        )


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """One object a line."""
    write_lines(target.path, map(_record, target.counted(examples)))


def _record(example: Example) -> dict[str, Any]:
    return {
        "query_id": example.query.id,
        "query": example.query.text,
        "answers": list(example.answers),
        "positive_passages": list(map(_passage, example.positives)),
        "negative_passages": list(map(_passage, example.hard_negatives)),
    }


def _passage(context: Context) -> dict[str, str]:
    return {"docid": context.id, "title": context.title, "text": context.passage.text}


FORMAT = Format(
    "tevatron", read, write, Holds(answers=True, hard_negatives=True, made_ids=True), (".jsonl", ".json")
)
