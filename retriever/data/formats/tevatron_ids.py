"""Tevatron's newer training data, which names its passages, and a corpus beside it.

Layout: https://github.com/texttron/tevatron, src/tevatron/retriever/dataset.py from version 2: ``{query_id, query_text,
positive_document_ids, negative_document_ids}``, and a corpus of ``{docid, text}``. Images, videos and audio are no text and are
counted as dropped. Titles are written beside the texts, but training there reads the texts alone: ``--join-titles`` brings
them in.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from retriever.data.folders import replaced_folder
from retriever.data.formats.ctl import require_file
from retriever.data.formats.model import Context, Data, Example, Format, Holds, Source, Target
from retriever.data.formats.rows import query_of, read_corpus, read_split, rest, write_lines
from retriever.records import Passage

CORPUS = "corpus.jsonl"
_POSITIVES, _NEGATIVES = "positive_document_ids", "negative_document_ids"
_KEYS = ("query", "query_text", "answers", _POSITIVES, _NEGATIVES)


def read(source: Source) -> Data:
    """Questions of a file or data set, or questions and corpus of a folder."""
    if not source.path.is_dir():
        return Data(source.path, _examples(source.path, source))
    questions = require_file(source.path, f"{source.split or 'train'}.jsonl")
    corpus = read_corpus(require_file(source.path, CORPUS), source.report)
    return Data(questions, _examples(questions, source), corpus, source.split)


def _examples(path: Path, source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(path, source.split), start=1):
        query, named = query_of(record, number, "query_text", "query")
        positives, negatives = (tuple(map(Context, record.ids(name))) for name in (_POSITIVES, _NEGATIVES))
        yield Example(
            query,
            record.texts("answers"),
            positives,
            negatives,
            fields=rest(record, _KEYS),
            named=named,
            line=record.line,
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
    Holds(answers=True, hard_negatives=True, texts=False, made_ids=True, corpus=True),
)
