"""FlagEmbedding's training data: ``{query, pos, neg, pos_scores, neg_scores, prompt, type}``, one object a line.

Layout: https://github.com/FlagOpen/FlagEmbedding, examples/finetune/embedder/README.md, "Data format": texts without ids and titles;
the scores of a teacher, prompt and type are optional.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from retriever.data.formats.model import Context, Data, Example, Format, Holds, Report, Source, Target
from retriever.data.formats.rows import query_of, read_split, rest, unnamed, write_lines
from retriever.data.json_record import JsonRecord, kind_of
from retriever.records import Passage

SCORE = "score"
_FIELDS = frozenset({"prompt", "type"})
_KEYS = ("query", "pos", "neg", "pos_scores", "neg_scores")


def read(source: Source) -> Data:
    """The questions of a file or data set."""
    return Data(source.path, _examples(source))


def _examples(source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(source.path, source.split), start=1):
        query, named = query_of(record, number, "query")
        positives, negatives = (_contexts(record, name) for name in ("pos", "neg"))
        fields = rest(record, _KEYS)
        yield Example(query, (), positives, negatives, fields=fields, named=named, line=record.line)


def _contexts(record: JsonRecord, name: str) -> tuple[Context, ...]:
    texts, scores = record.texts(name), record.values.get(f"{name}_scores")
    if scores is None or scores == []:
        return tuple(map(unnamed, texts))
    if not isinstance(scores, list) or len(scores) != len(texts):
        found = len(scores) if isinstance(scores, list) else kind_of(scores)
        raise record.error(f"expected {len(texts)} numbers in '{name}_scores', found {found}")
    for each in scores:
        if isinstance(each, bool) or not isinstance(each, int | float):
            raise record.error(f"'{name}_scores' must be a list of numbers, found {kind_of(each)} in it")
    return tuple(unnamed(text, notes={SCORE: score}) for text, score in zip(texts, scores, strict=True))


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """One object a line; the scores of a list are written if each of its passages has one, as a list has no gaps."""
    write_lines(target.path, (_record(each, target.report) for each in target.counted(examples)))


def _record(example: Example, report: Report) -> dict[str, Any]:
    return {
        "query": example.query.text,
        "pos": [each.passage.text for each in example.positives],
        "neg": [each.passage.text for each in example.hard_negatives],
        **_scores("pos", example.positives, report),
        **_scores("neg", example.hard_negatives, report),
        **example.fields,
    }


def _scores(name: str, contexts: tuple[Context, ...], report: Report) -> dict[str, list[float]]:
    scores = [each.notes[SCORE] for each in contexts if SCORE in each.notes]
    whole = len(scores) == len(contexts) and all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in scores
    )
    if scores and not whole:
        report.dropped["scores of lists in which not every passage has a number"] += len(scores)
    return {f"{name}_scores": scores} if scores and whole else {}


FORMAT = Format(
    "flagembedding",
    read,
    write,
    Holds(
        question_ids=False,
        hard_negatives=True,
        passage_ids=False,
        titles=False,
        notes=frozenset({SCORE}),
        fields=_FIELDS,
    ),
    (".jsonl", ".json"),
)
