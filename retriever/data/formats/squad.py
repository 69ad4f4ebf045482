"""SQuAD 1.1 and 2.0: articles of paragraphs with their questions. The paragraphs are the passages.

Layout: https://rajpurkar.github.io/SQuAD-explorer, as its evaluation scripts read it: ``{version, data: [{title, paragraphs: [{context, qas: [{id,
question, answers: [{text, answer_start}], is_impossible}]}]}]}``. Read as well: the rows of the data set ``squad`` of the hub,
``{id, title, context, question, answers: {text, answer_start}}``. A question that its paragraph cannot answer (2.0) has the
paragraph as hard negative, and no positive.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from retriever.data.formats.fit import count
from retriever.data.formats.model import (
    Context,
    Data,
    Example,
    Format,
    Holds,
    LocatedPassages,
    Report,
    Source,
    Target,
    some,
)
from retriever.data.formats.rows import query_of, read_split, rest, unnamed, write_objects
from retriever.data.json_array import read_json_member
from retriever.data.json_record import JsonRecord
from retriever.data.lines import format_of, open_input, require_some
from retriever.records import Passage

_KEYS = ("question", "answers", "is_impossible", "plausible_answers", "context", "title")
_BEGINNING = re.compile(rb'\s*\{\s*"(data|version)"\s*:')


def is_squad(path: Path) -> bool:
    """Whether a ``.json`` file begins as SQuAD's do."""
    if format_of(path) != ".json":
        return False
    with open_input(path) as file:
        return _BEGINNING.match(file.read(4096).removeprefix(b"\xef\xbb\xbf")) is not None


def read(source: Source) -> Data:
    """The questions, and the paragraphs as the corpus; the file is read twice, article by article."""
    return Data(source.path, _examples(source), _paragraphs(source), ids_made=True)


def _paragraphs(source: Source) -> LocatedPassages:
    for _, context in _located(source):
        yield f"{source.path.name}, a paragraph", context.passage


def _located(source: Source) -> Iterator[tuple[JsonRecord, Context]]:
    """Each paragraph's object, or each row, and the passage in it."""
    if not is_squad(source.path):
        for record in read_split(source.path, source.split):
            yield record, unnamed(record.text("context"), record.optional_text("title"))
        return
    with open_input(source.path) as file:
        for line, values in require_some(
            read_json_member(file, source.path, "data"), source.path, "articles"
        ):
            article = JsonRecord(values, source.path, line)
            for paragraph in article.records("paragraphs"):
                yield paragraph, unnamed(paragraph.text("context"), article.optional_text("title"))


def _examples(source: Source) -> Iterator[Example]:
    number = 0
    for record, context in _located(source):
        in_article = "qas" in record.values
        if in_article:
            _count_unknown(record, ("context", "qas"), "paragraphs", source.report)
        for asked in record.records("qas") if in_article else [record]:
            number += 1
            yield _example(asked, number, context, source.report)


def _example(record: JsonRecord, number: int, context: Context, report: Report) -> Example:
    query, named = query_of(record, number, "question")
    answers = tuple(_answers(record, context, report))
    if record.values.get("plausible_answers"):
        report.dropped["plausible answers"] += len(record.records("plausible_answers"))
    impossible = record.values.get("is_impossible") is True or (not answers and "answers" in record.values)
    positives, negatives = ((), (context,)) if impossible else ((context,), ())
    return Example(
        query,
        tuple(dict.fromkeys(answers)),
        positives,
        negatives,
        fields=rest(record, _KEYS),
        named=named,
        line=record.line,
    )


def _count_unknown(record: JsonRecord, known: tuple[str, ...], what: str, report: Report) -> None:
    for name in rest(record, known):
        report.dropped[f"'{name}' of {what}"] += 1


def _answers(record: JsonRecord, context: Context, report: Report) -> Iterator[str]:
    """The answers; where one stands is lost if it is not the first place where its words do."""
    given = record.values.get("answers")
    if isinstance(given, dict):
        columns = JsonRecord(given, record.path, record.line, f"{record.place}answers: ")
        pairs: Iterable[tuple[str, Any]] = zip(
            columns.texts("text"), given.get("answer_start") or [], strict=False
        )
    else:
        listed = record.records("answers")
        for each in listed:
            _count_unknown(each, ("text", "answer_start"), "answers", report)
        pairs = [(each.text("text"), each.values.get("answer_start")) for each in listed]
    seen: set[str] = set()
    for text, start in pairs:
        if start != context.passage.text.find(text):
            report.dropped["places of answers, other than the first of the same words"] += 1
        if text in seen:
            report.dropped["answers that several people gave"] += 1
        seen.add(text)
        yield text


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """Questions that follow each other under one passage, and passages under one title, stand together."""
    placed = some((each for example in examples for each in _placed(example, target.report)), target)
    articles = (
        {
            "title": title,
            "paragraphs": [_paragraph(*each) for each in groupby(asked, key=lambda pair: pair[0])],
        }
        for title, asked in groupby(placed, key=lambda pair: pair[0].title)
    )
    write_objects(target.path, articles, ('{"version": "v2.0", "data": [\n', ",\n", "\n]}\n"))


def _paragraph(passage: Passage, asked: Iterable[tuple[Passage, dict[str, Any]]]) -> dict[str, Any]:
    return {"context": passage.text, "qas": [each for _, each in asked]}


def _placed(example: Example, report: Report) -> Iterator[tuple[Passage, dict[str, Any]]]:
    """The passage under which a question is asked, if there is one, and what stands there."""
    dropped = report.dropped
    chosen = _place(example)
    if chosen is None:
        dropped["questions without a passage, or without an answer in one"] += 1
        return
    found = [each for each in example.answers if each and each in chosen.text] if example.positives else []
    count(dropped, "answers that are not in the passage", len(example.answers) - len(found))
    count(dropped, "positives beside the one that a question has", max(0, len(example.positives) - 1))
    count(dropped, "hard negatives", len(example.hard_negatives) - (not example.positives))
    report.written["questions"] += 1
    yield (
        chosen,
        {
            "id": example.query.id,
            "question": example.query.text,
            "answers": [{"text": each, "answer_start": chosen.text.find(each)} for each in found],
            "is_impossible": not example.positives,
        },
    )


def _place(example: Example) -> Passage | None:
    """The first positive that holds an answer; of a question without positives the first negative."""
    if not example.positives:
        passages = [each.passage for each in example.hard_negatives]
    else:
        answers = [each for each in example.answers if each]
        whole = (each.passage for each in example.positives)
        passages = [each for each in whole if any(answer in each.text for answer in answers)]
    return Passage("", passages[0].text, passages[0].title) if passages else None


FORMAT = Format(
    "squad",
    read,
    write,
    Holds(answers=True, hard_negatives=True, unanswered=True, passage_ids=False),
    (".json",),
)
