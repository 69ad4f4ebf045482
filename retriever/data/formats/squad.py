"""SQuAD 1.1 and 2.0: articles of paragraphs with their questions. The paragraphs are the passages.

Layout: https://rajpurkar.github.io/SQuAD-explorer, as its evaluation scripts read it: ``{version, data: [{title, paragraphs: [{context, qas: [{id,
question, answers: [{text, answer_start}], is_impossible}]}]}]}``. Read as well: the rows of the data set ``squad`` of the hub,
``{id, title, context, question, answers: {text, answer_start}}``. A question that its paragraph cannot answer (2.0) has the
paragraph as hard negative, and no positive.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
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
from retriever.data.formats.rows import question_of, read_split, rest, unnamed, write_objects
from retriever.data.json_array import read_json_member
from retriever.data.json_record import JsonRecord, kind_of
from retriever.data.lines import format_of, open_input, require_some
from retriever.records import Passage

_KEYS = ("answers", "is_impossible", "plausible_answers", "context", "title")
_MOST_PARAGRAPHS = 512
"""In an article that is written; SQuAD's own have up to 149."""
_ARTICLES = re.compile(rb'\s*\{.*?"data"\s*:\s*\[', re.DOTALL)
_BEGINNING = 1 << 16
"""Bytes in which the articles begin, whatever stands before them; a row of the hub's data set has none."""


def is_squad(path: Path) -> bool:
    """Whether a ``.json`` file is an object of articles, as SQuAD's are."""
    if format_of(path) != ".json":
        return False
    with open_input(path) as file:
        return _ARTICLES.match(file.read(_BEGINNING).removeprefix(b"\xef\xbb\xbf")) is not None


def read(source: Source) -> Data:
    """The questions, and the paragraphs as the corpus; the file is read twice, article by article."""
    return Data(source.path, _examples(source), _paragraphs(source), ids_made=True)


def _paragraphs(source: Source) -> LocatedPassages:
    last = ""
    for record, context in _located(source, Report()):
        if "qas" in record.values or context.id != last:  # rows of one paragraph follow each other
            yield f"{source.path.name}:{record.line}", context.passage
        last = context.id


def _located(source: Source, report: Report) -> Iterator[tuple[JsonRecord, Context]]:
    """Each paragraph's object, or each row, and the passage in it; what is not read is counted in the report."""
    if not is_squad(source.path):
        for record in read_split(source.path, source.split):
            yield record, unnamed(record.text("context"), record.optional_text("title"))
        return

    def passed_over(name: str) -> None:
        count(report.dropped, f"'{name}' of the file", name != "version")

    with open_input(source.path) as file:
        articles = read_json_member(file, source.path, "data", passed_over)
        for line, values in require_some(articles, source.path, "articles"):
            article = JsonRecord(values, source.path, line)
            _count_unknown(article, ("title", "paragraphs"), "articles", report)
            for paragraph in article.records("paragraphs"):
                yield paragraph, unnamed(paragraph.text("context"), article.optional_text("title"))


def _examples(source: Source) -> Iterator[Example]:
    number = 0
    for record, context in _located(source, source.report):
        in_article = "qas" in record.values
        if in_article:
            _count_unknown(record, ("context", "qas"), "paragraphs", source.report)
        for asked in record.records("qas") if in_article else [record]:
            number += 1
            yield _example(asked, number, context, source.report)


def _example(record: JsonRecord, number: int, context: Context, report: Report) -> Example:
    question = question_of(record, number, ("question",), _KEYS)
    answers = tuple(_answers(record, context, report))
    if record.values.get("plausible_answers"):
        report.dropped["plausible answers"] += len(record.records("plausible_answers"))
    impossible = record.values.get("is_impossible")
    if impossible is None:
        impossible = not answers and "answers" in record.values
    if not isinstance(impossible, bool):
        raise record.error(f"'is_impossible' must be true or false, found {kind_of(impossible)}")
    positives, negatives = ((), (context,)) if impossible else ((context,), ())
    return replace(
        question, answers=tuple(dict.fromkeys(answers)), positives=positives, hard_negatives=negatives
    )


def _count_unknown(record: JsonRecord, known: tuple[str, ...], what: str, report: Report) -> None:
    for name in rest(record, known):
        report.dropped[f"'{name}' of {what}"] += 1


def _answers(record: JsonRecord, context: Context, report: Report) -> Iterator[str]:
    """The answers; where one stands is lost if it is not the first place where its words do."""
    seen: set[str] = set()
    for text, start in _given_answers(record, report):
        if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
            raise record.error(f"'answer_start' must be a whole number, found {kind_of(start)}")
        if start is not None and start != context.passage.text.find(text):
            report.dropped["places of answers, other than the first of the same words"] += 1
        if text in seen:
            report.dropped["answers that several people gave"] += 1
        seen.add(text)
        yield text


def _given_answers(record: JsonRecord, report: Report) -> Iterable[tuple[str, object]]:
    """The answers, each with its place or None, from a list of objects or, as in the hub's rows, from two lists."""
    given = record.values.get("answers")
    if not isinstance(given, dict):
        listed = record.records("answers")
        for each in listed:
            _count_unknown(each, ("text", "answer_start"), "answers", report)
        return [(each.text("text"), each.values.get("answer_start")) for each in listed]
    columns = JsonRecord(given, record.path, record.line, f"{record.place}answers: ")
    _count_unknown(columns, ("text", "answer_start"), "answers", report)
    texts, starts = columns.texts("text"), given.get("answer_start")
    if starts in (None, []):
        return ((each, None) for each in texts)
    if not isinstance(starts, list):
        raise columns.error(f"'answer_start' must be a list of numbers, found {kind_of(starts)}")
    if len(starts) != len(texts):
        raise columns.error(f"expected {len(texts)} numbers in 'answer_start', found {len(starts)}")
    return zip(texts, starts, strict=True)


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """Questions that follow each other under one passage, and passages under one title, stand together."""
    placed = some((each for example in examples for each in _placed(example, target.report)), target)
    write_objects(target.path, _articles(placed), ('{"version": "v2.0", "data": [\n', ",\n", "\n]}\n"))


def _articles(placed: Iterable[tuple[Passage, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Paragraphs of one title, as many as fit in memory; without title each is an article of its own."""
    paragraphs = (
        (passage.title, {"context": passage.text, "qas": [each for _, each in asked]})
        for passage, asked in groupby(placed, key=itemgetter(0))
    )
    for title, group in groupby(paragraphs, key=itemgetter(0)):
        while part := [each for _, each in islice(group, _MOST_PARAGRAPHS if title else 1)]:
            yield {"title": title, "paragraphs": part}


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
