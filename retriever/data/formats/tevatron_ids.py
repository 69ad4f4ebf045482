"""Tevatron's newer training data, which names its passages, and a corpus beside it.

Layout: https://github.com/texttron/tevatron, src/tevatron/retriever/dataset.py from version 2: ``{query_id, query_text,
positive_document_ids, negative_document_ids}``, and a corpus of ``{docid, text}``. Images, videos and audio are no text and are
counted as dropped. Titles are written beside the texts, but training there reads the texts alone: ``--join-titles`` brings
them in.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from retriever.data.folders import replaced_folder
from retriever.data.formats.ctl import only_split, require_file
from retriever.data.formats.model import Context, Data, Example, Format, Holds, Source, Target
from retriever.data.formats.rows import question_of, read_corpus, read_split, write_lines
from retriever.records import Passage

CORPUS = "corpus.jsonl"
_POSITIVES, _NEGATIVES = "positive_document_ids", "negative_document_ids"
_KEYS = ("answers", _POSITIVES, _NEGATIVES)


def read(source: Source) -> Data:
    """Questions of a file or data set, or questions and corpus of a folder."""
    if not source.path.is_dir():
        return Data(source.path, _examples(source.path, source))
    split = source.split or only_split(source.path, "{}.jsonl") or "train"
    questions = require_file(source.path, f"{split}.jsonl")
    corpus = read_corpus(require_file(source.path, CORPUS), source.report)
    return Data(questions, _examples(questions, source), corpus, split)


def _examples(path: Path, source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(path, source.split), start=1):
        positives, negatives = (tuple(map(Context, record.ids(name))) for name in (_POSITIVES, _NEGATIVES))
        yield replace(
            question_of(record, number, ("query_text", "query"), _KEYS),
            answers=record.texts("answers"),
            positives=positives,
            hard_negatives=negatives,
        )


def write(target: Target, examples: Iterable[Example], corpus: Callable[[], Iterator[Passage]]) -> None:
    """A folder of train.jsonl (or what the split is called) and corpus.jsonl."""
    with replaced_folder(target.path) as folder:
        write_lines(folder / f"{target.split}.jsonl", map(_record, target.counted(examples)))
        write_lines(
            folder / CORPUS, ({"docid": each.id, "title": each.title, "text": each.text} for each in corpus())
        )


def _record(example: Example) -> dict[str, Any]:
    return {
        "query_id": example.query.id,
        "query_text": example.query.text,
        "answers": list(example.answers),
        _POSITIVES: [each.id for each in example.positives],
        _NEGATIVES: [each.id for each in example.hard_negatives],
    }


FORMAT = Format(
    "tevatron-ids",
    read,
    write,
    Holds(answers=True, hard_negatives=True, made_ids=True, corpus=True),
)
