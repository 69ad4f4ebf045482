"""An example as a format can hold it: what it cannot hold is dropped and counted."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from retriever.data.formats.model import Context, Example, Holds, Report
from retriever.data.formats.rows import is_writable
from retriever.records import Passage

_LISTS = {
    "answers": "answers",
    "positives": "positive passages",
    "hard_negatives": "hard negatives",
    "other_negatives": "other negatives",
}


def fit_example(example: Example, holds: Holds, report: Report) -> Example | None:
    """The example without the lists, the id and the fields that the format does not have; None: it has no place there."""
    if not example.positives and not holds.unanswered:
        report.dropped["questions without a positive passage"] += 1
        return None
    example = _without_contradictions(example, report)
    kept: dict[str, Any] = {}
    for name, label in _LISTS.items():
        values = getattr(example, name)
        kept[name] = values if getattr(holds, name) else ()
        count(report.dropped, label, len(values) - len(kept[name]))
    if holds.question_ids != example.named:
        counter = report.made if holds.question_ids else report.dropped
        counter["ids of questions, the number in the file" if holds.question_ids else "ids of questions"] += 1
    fields = _held(example.fields, holds.fields, holds.reserved, "'{}' of questions", report)
    return replace(example, **kept, fields=fields)


def _without_contradictions(example: Example, report: Report) -> Example:
    """The example without the negatives that are positives of the same question: by id, or by title and text."""
    positives = {key for each in example.positives for key in _keys(each)}
    kept: dict[str, Any] = {}
    for name in ("hard_negatives", "other_negatives"):
        negatives = getattr(example, name)
        kept[name] = tuple(each for each in negatives if positives.isdisjoint(_keys(each)))
        dropped = len(negatives) - len(kept[name])
        count(report.dropped, f"{_LISTS[name]} that are positives of the same question", dropped)
    return replace(example, **kept)


def _keys(context: Context) -> tuple[object, ...]:
    return (context.id,) if context.text is None else (context.id, (context.title, context.text))


def fit_context(context: Context, holds: Holds, report: Report, *, join_titles: bool) -> Context:
    """The passage of a question without the details that the format does not have; its id stays, to look it up by."""
    notes = _held(context.notes, holds.notes, holds.reserved, "'{}' of passages", report)
    if context.named and not holds.passage_ids:
        report.dropped["ids of passages"] += 1
    if holds.corpus:  # titles of a corpus are counted where it is written
        return replace(context, notes=notes)
    passage = fit_passage(context.passage, holds, report, join_titles=join_titles)
    return replace(context, text=passage.text, title=passage.title, notes=notes)


def fit_passage(passage: Passage, holds: Holds, report: Report, *, join_titles: bool) -> Passage:
    """The passage with its title before its text, if that is asked for, or without it where the format has none."""
    if not passage.title or (holds.titles and not join_titles):
        return passage
    if join_titles:
        report.changed["titles joined to their texts"] += 1
        return Passage(passage.id, f"{passage.title} {passage.text}")
    report.dropped["titles (--join-titles puts them before the texts)"] += 1
    return Passage(passage.id, passage.text)


def _held(
    values: Mapping[str, Any],
    names: Collection[str] | None,
    reserved: Collection[str],
    label: str,
    report: Report,
) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in values.items()
        if (names is None or name in names) and name not in reserved and is_writable(value)
    }
    for name in values.keys() - kept.keys():
        report.dropped[label.format(name)] += 1
    return kept


def count(counter: Counter[str], name: str, number: int) -> None:
    """Add to a counter, in which nothing stands at 0."""
    if number:
        counter[name] += number
