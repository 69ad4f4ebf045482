"""Rows of anchor, positive and negatives: sentence-transformers' triplets, pairs and n-tuples, and MS MARCO's triples of texts.

Layout: https://sbert.net/docs/sentence_transformer/training_overview.html, "Dataset Format", where the order of the columns decides, and
``mine_hard_negatives``, which names them ``anchor, positive, negative`` or ``negative_1 … negative_n``;
https://microsoft.github.io/msmarco/Datasets, triples.train.small.tsv: query, positive, negative, without header.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from retriever.data.files import atomic_file
from retriever.data.formats.fit import count
from retriever.data.formats.groups import NEGATIVE, POSITIVE, ROW, Groups, digest_of
from retriever.data.formats.model import Context, Data, Example, Format, Holds, Report, Source, Target, some
from retriever.data.formats.rows import csv_writer, one_line, unnamed, write_lines
from retriever.data.hub import at_split
from retriever.data.simcse import locate_simcse_examples
from retriever.data.table import are_names
from retriever.errors import InputError
from retriever.records import Passage, Query


def read(source: Source) -> Data:
    """The rows of one anchor, wherever they stand, as one question: its positives, and its negatives, each once."""
    path = at_split(source.path, source.split or "train")
    return Data(path, _examples(Source(path, source.report)))


def _examples(source: Source) -> Iterator[Example]:
    groups = Groups()

    def passed_over(name: str) -> None:
        source.report.dropped[f"'{name}' of rows"] += 1

    for line, row in locate_simcse_examples(source.path, passed_over=passed_over):
        if row.positive is None:
            raise InputError(
                "expected an anchor and a positive, found sentences", path=source.path, line=line
            )
        source.report.read["rows"] += 1
        new = groups.add(row.anchor, ROW, digest_of("\0".join((row.positive, *row.hard_negatives))).hex())
        count(source.report.dropped, "rows that stand there again", not new)
        groups.add(row.anchor, POSITIVE, row.positive)
        for each in row.hard_negatives:
            groups.add(row.anchor, NEGATIVE, each)
    for number, anchor in enumerate(groups.questions(), start=1):
        positives, negatives = (
            tuple(map(unnamed, groups.values(anchor, role))) for role in (POSITIVE, NEGATIVE)
        )
        yield Example(Query(str(number), anchor), (), positives, negatives, named=False)


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """One row for each positive and negative, or, with K hard negatives asked for, one for each positive.

    Columns are named in ``.jsonl``, ``.json`` and ``.csv``; a ``.tsv`` file is MS MARCO's.
    """
    rows = some((row for each in examples for row in _counted(each, target)), target)
    if target.path.suffix not in (".csv", ".tsv"):
        names = _names(target.num_hard_negatives)
        write_lines(target.path, (dict(zip(names, row, strict=True)) for row in rows))
        return
    with atomic_file(target.path) as file:
        if target.path.suffix == ".tsv":
            _write_tsv(file, rows, target)
            return
        write_row = csv_writer(file, ",")
        write_row(_names(target.num_hard_negatives))
        for row in rows:
            write_row(row)


def _write_tsv(file: IO[Any], rows: Iterable[tuple[str, ...]], target: Target) -> None:
    for number, row in enumerate(rows):
        cells = [one_line(cell, target.report) for cell in row]
        if number == 0 and (are_names(cells) or {each.strip() for each in cells} & set(_names(1))):
            message = f"the first row is single words, which are read as a header: {', '.join(cells)}; write .csv or .jsonl"
            raise InputError(message, path=target.path)
        file.write("\t".join(cells) + "\n")


def _names(width: int | None) -> tuple[str, ...]:
    negatives = ("negative",) if width is None else tuple(f"negative_{at + 1}" for at in range(width))
    return ("anchor", "positive", *negatives)


def _rows(example: Example, target: Target) -> Iterator[tuple[str, ...]]:
    report, width = target.report, target.num_hard_negatives
    positives, found = (_texts(each, report) for each in (example.positives, example.hard_negatives))
    negatives = [each for each in found if each not in positives]  # equal but for their titles
    count(report.dropped, "hard negatives with the text of a positive", len(found) - len(negatives))
    needed = 1 if width is None else width
    if not positives:
        report.dropped["questions none of whose positives has a text"] += 1
    elif len(negatives) < needed:
        label = (
            "a hard negative (--num-hard-negatives 0 writes pairs)"
            if width is None
            else f"{needed} hard negatives"
        )
        report.dropped[f"questions without {label}"] += 1
    elif width is None:
        several = len(positives) > 1 and len(negatives) > 1
        count(report.changed, "questions whose every positive is paired with every negative", several)
        yield from ((example.query.text, each, other) for each in positives for other in negatives)
    else:
        if len(negatives) > width:
            report.dropped[f"hard negatives beyond the first {width}"] += len(negatives) - width
        yield from ((example.query.text, each, *negatives[:width]) for each in positives)


def _counted(example: Example, target: Target) -> Iterator[tuple[str, ...]]:
    before = target.report.written["rows"]
    for row in _rows(example, target):
        yield row
        target.report.written["rows"] += 1
    target.report.written["questions"] += target.report.written["rows"] > before


def _texts(contexts: tuple[Context, ...], report: Report) -> list[str]:
    """The texts that are not empty: an empty cell is no passage."""
    texts = [each.passage.text for each in contexts if each.passage.text.strip()]
    if len(texts) < len(contexts):
        report.dropped["passages without text"] += len(contexts) - len(texts)
    once = list(dict.fromkeys(texts))
    count(report.dropped, "passages with the same text", len(texts) - len(once))
    return once


FORMAT = Format(
    "triplets",
    read,
    write,
    Holds(question_ids=False, hard_negatives=True, passage_ids=False, titles=False),
    (".jsonl", ".json", ".csv", ".tsv"),
)
