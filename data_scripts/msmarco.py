"""MS MARCO's passages, its training and dev questions, and training examples with hard negatives.

    python data_scripts/msmarco.py collection dev train --output data/msmarco

collection gives collection.tsv (8.8 million passages) for ``ctl index``; dev and train-questions give questions with the
ids of their positives (dev: the 6,980 that everybody evaluates on); train gives train.jsonl for ``ctl train-dpr``: the
questions that are judged, their positives, and the first ten hard negatives of each in the official triples of ids, with
text. Passages are as released: many hold characters that were encoded twice.

Files and formats: Datasets.md of microsoft/msmarco. Host, MD5 and sizes: msmarco-passage in allenai/ir_datasets; the MD5
of the collection is in Anserini's and Pyserini's guides, too. They were not tried when this was written.
"""

import json
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from archives import extract_all
from download import Source
from dpr import count_examples, count_passages, count_questions
from parts import Part, main

from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.corpus import read_passages
from retriever.data.dpr import write_dpr_examples
from retriever.data.files import atomic_file
from retriever.data.lines import read_table
from retriever.data.rankings import read_qrels
from retriever.data.table import check_width
from retriever.errors import InputError
from retriever.records import DprExample, Passage, Qrels, Query

NUM_HARD_NEGATIVES = 10
"""Of a question in train.jsonl: training draws from them, others in each epoch; the triples have up to a thousand."""


def _source(file: str, size: int, md5: str) -> Source:
    return Source(
        url=f"https://msmarco.z22.web.core.windows.net/msmarcoranking/{file}",
        home="https://microsoft.github.io/msmarco/Datasets",
        licence="MS MARCO's terms: non-commercial research only",
        size=size,
        checksum=f"md5:{md5}",
        headers={"X-Ms-Version": "2019-12-12"},  # older versions of the protocol do not answer ranges well
    )


COLLECTION = _source("collectionandqueries.tar.gz", 1_057_717_952, "31644046b18952c1386cd4564ba2ae69")
TRIPLES = _source("qidpidtriples.train.full.2.tsv.gz", 1_841_693_309, "219083e80a0a751c08b968c2f31a4e0b")


def make_collection(downloads: Sequence[Path], target: Path) -> Mapping[str, int]:
    """The collection as it is in the archive: id and text, no header, quotes being letters."""
    extract_all(downloads[0], ["collection.tsv"], target.parent)
    return {}


def make_questions(downloads: Sequence[Path], target: Path, *, split: str) -> Mapping[str, int]:
    """The judged questions as JSON Lines: id, question and the ids of their positives."""
    queries, qrels = _extracted(downloads[0], target, f"queries.{split}.tsv", f"qrels.{split}.tsv")
    left_out: Counter[str] = Counter()
    with atomic_file(target) as file:
        for query, positives in judged(queries, read_qrels(qrels), left_out):
            record = {"id": query.id, "question": query.text, "positive_passage_id": positives}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return left_out


def make_train(downloads: Sequence[Path], target: Path) -> Mapping[str, int]:
    """Training examples: the texts come from a table on disk, and memory holds numbers only."""
    collection, triples = downloads
    names = ("queries.train.tsv", "qrels.train.tsv", "collection.tsv")
    queries, qrels_file, texts = _extracted(collection, target, *names)
    qrels = read_qrels(qrels_file)
    table = texts.with_suffix(".arrow")
    write_passage_table(table, checked_order(read_passages(texts), texts))
    passages = PassageTable(table)
    left_out: Counter[str] = Counter()
    negatives = first_negatives(triples, qrels, passages, left_out)
    questions = judged(queries, qrels, left_out)
    write_dpr_examples(target, examples(questions, negatives, passages, qrels_file))
    return left_out


def _extracted(archive: Path, target: Path, *names: str) -> list[Path]:
    """Members of the archive, in a folder that is deleted when the target is made."""
    return list(extract_all(archive, names, target.with_name("raw")).values())


def judged(queries: Path, qrels: Qrels, left_out: Counter[str]) -> Iterator[tuple[Query, list[str]]]:
    """The questions that have positives, and the ids of these."""
    waiting = set(qrels)
    for query in read_queries(queries):
        waiting.discard(query.id)
        positives = [each for each, grade in qrels.get(query.id, {}).items() if grade > 0]
        if positives:
            yield query, positives
        else:
            left_out["questions without a positive"] += 1
    if waiting:
        left_out["judged questions whose text is missing"] += len(waiting)


def read_queries(file: Path) -> Iterator[Query]:
    """Queries as MS MARCO has them: id, tab, text; quotes are letters."""
    for line, cells in read_table(file, delimiter="\t", quoted=False):
        check_width(cells, 2, file, line)
        yield Query(cells[0], cells[1])


def checked_order(passages: Iterator[Passage], file: Path) -> Iterator[Passage]:
    """The passages, whose ids have to be their numbers from 0 on: so an id is a row.

    Raises:
        InputError: an id is something else.
    """
    for row, passage in enumerate(passages):
        if passage.id != str(row):
            raise InputError(f"expected the id {row}, found '{passage.id}'", path=file, line=row + 1)
        yield passage


def row_of(passage_id: str, passages: Sequence[Passage], path: Path, line: int | None = None) -> int:
    """The row of a passage, which is its id.

    Raises:
        InputError: it is not in the collection.
    """
    if passage_id.isascii() and passage_id.isdecimal() and int(passage_id) < len(passages):
        return int(passage_id)
    raise InputError(f"passage '{passage_id}' is not in the collection", path=path, line=line)


def first_negatives(
    triples: Path, qrels: Qrels, passages: Sequence[Passage], left_out: Counter[str]
) -> dict[str, "array[int]"]:
    """The first distinct negatives of each judged question in rows of question, positive and negative id.

    Raises:
        InputError: a row that is wrong, or a passage that is not in the collection.
    """
    negatives = {query_id: array("I") for query_id in qrels}
    for line, cells in read_table(triples, delimiter="\t", quoted=False):
        check_width(cells, 3, triples, line)
        query_id, _, negative = cells
        found = negatives.get(query_id)
        if found is None:
            left_out["triples of a question without judgement"] += 1
        elif negative in qrels[query_id]:
            left_out["triples whose negative is judged"] += 1
        elif len(found) < NUM_HARD_NEGATIVES:
            row = row_of(negative, passages, triples, line)
            if row not in found:
                found.append(row)
    return negatives


def examples(
    questions: Iterable[tuple[Query, list[str]]],
    negatives: Mapping[str, Sequence[int]],
    passages: Sequence[Passage],
    qrels_file: Path,
) -> Iterator[DprExample]:
    """Questions with the texts of their positives, which are of that file, and of their hard negatives."""
    for query, positives in questions:
        rows = [row_of(each, passages, qrels_file) for each in positives]
        yield DprExample(
            query,
            tuple(passages[row] for row in rows),
            tuple(passages[row] for row in negatives[query.id]),
        )


PARTS = (
    Part(
        name="collection",
        sources=(COLLECTION,),
        output="collection.tsv",
        make=make_collection,
        count=count_passages,
    ),
    *(
        Part(
            name=name,
            sources=(COLLECTION,),
            output=output,
            make=partial(make_questions, split=split),
            count=count_questions,
        )
        for name, output, split in (
            ("dev", "dev.jsonl", "dev.small"),
            ("train-questions", "train_questions.jsonl", "train"),
        )
    ),
    Part(
        name="train",
        sources=(COLLECTION, TRIPLES),
        output="train.jsonl",
        make=make_train,
        count=count_examples,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
