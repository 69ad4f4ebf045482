"""BEIR folders: corpus.jsonl, queries.jsonl, and a table of judgements for each split in qrels/.

Layout: https://github.com/beir-cellar/beir, wiki, "Load your custom dataset", and beir/datasets/data_loader.py, which passes over
keys that it does not know: answers stand beside a query's own.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from retriever.data.beir import BeirFolder
from retriever.data.files import atomic_file
from retriever.data.folders import replaced_folder
from retriever.data.formats.ctl import only_split
from retriever.data.formats.fit import count
from retriever.data.formats.judged import contexts_of_grades, judgements_of, require_questions
from retriever.data.formats.model import GRADE, Data, Example, Format, Holds, Report, Source, Target
from retriever.data.formats.rows import json_text, question_of, read_corpus, write_lines
from retriever.data.json_record import read_records
from retriever.data.rankings import read_qrels
from retriever.errors import InputError
from retriever.records import Passage

_HEADER = "query-id\tcorpus-id\tscore\n"


def read(source: Source) -> Data:
    """The questions that one split judges, with what is judged, and the corpus."""
    split = source.split or only_split(source.path, "qrels/{}.tsv") or "test"
    files = BeirFolder.find(source.path, split)
    return Data(
        files.queries, _examples(files, source.report), read_corpus(files.corpus, source.report), split
    )


def _examples(files: BeirFolder, report: Report) -> Iterator[Example]:
    judged = read_qrels(files.qrels)
    for number, record in enumerate(read_records(files.queries), start=1):
        example = question_of(record, number, ("text", "question"), ("answers",))
        grades = judged.pop(example.query.id, None)
        if grades is None:
            report.dropped[f"questions that {files.qrels.name} does not judge"] += 1
            continue
        positives, negatives = contexts_of_grades(grades)
        answers = record.texts("answers")
        yield replace(example, answers=answers, positives=positives, hard_negatives=negatives)
    require_questions(judged, files.qrels, files.queries)


def write(target: Target, examples: Iterable[Example], corpus: Callable[[], Iterator[Passage]]) -> None:
    """A folder of three files, the judgements under the name of the split."""
    with replaced_folder(target.path) as folder:
        (folder / "qrels").mkdir()
        qrels_path = folder / "qrels" / f"{target.split}.tsv"
        with atomic_file(folder / "queries.jsonl") as queries, atomic_file(qrels_path) as qrels:
            qrels.write(_HEADER)
            for example in target.counted(examples):
                query_id = _cell(example.query.id, target.path)
                answers = {"answers": list(example.answers)} if example.answers else {}
                query = {"_id": query_id, "text": example.query.text, **answers, **example.fields}
                queries.write(json_text(query, target.path) + "\n")
                judged, mined = judgements_of(example, target.path, target.report)
                count(target.report.dropped, "hard negatives that nobody judged", len(mined))
                for passage_id, grade in judged:
                    qrels.write(f"{query_id}\t{_cell(passage_id, target.path)}\t{grade}\n")
        passages = ({"_id": each.id, "title": each.title, "text": each.text} for each in corpus())
        write_lines(folder / "corpus.jsonl", passages)


def _cell(value: str, path: Path) -> str:
    if value != value.strip() or any(each in value for each in "\t\n\r"):
        message = f"the id {value!r} holds a tab, a line end or outer spaces, which qrels cannot"
        raise InputError(message, path=path)
    return value


FORMAT = Format(
    "beir",
    read,
    write,
    Holds(
        answers=True,
        hard_negatives=True,
        made_ids=True,
        corpus=True,
        notes=frozenset({GRADE}),
        fields=frozenset({"metadata"}),
    ),
)
