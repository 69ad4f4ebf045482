"""FlagEmbedding's training data: ``{query, pos, neg, pos_scores, neg_scores, prompt, type}``, one object a line.

Layout: https://github.com/FlagOpen/FlagEmbedding, examples/finetune/embedder/README.md, "Data format": texts without ids and titles;
the scores of a teacher, prompt and type are optional.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from retriever.data.formats.fit import count
from retriever.data.formats.model import Context, Data, Example, Format, Holds, Report, Source, Target
from retriever.data.formats.rows import question_of, read_split, unnamed, write_lines
from retriever.data.json_record import JsonRecord, kind_of
from retriever.records import Passage

SCORE, SOURCE = "score", "source"
_FIELDS = frozenset({"prompt", "type"})
_KEYS = ("pos", "neg", "pos_scores", "neg_scores")


def read(source: Source) -> Data:
    """The questions of a file or data set."""
    return Data(source.path, _examples(source))


def _examples(source: Source) -> Iterator[Example]:
    for number, record in enumerate(read_split(source.path, source.split), start=1):
        positives, negatives = (_contexts(record, name) for name in ("pos", "neg"))
        question = question_of(record, number, ("query",), _KEYS)
        yield replace(question, positives=positives, hard_negatives=negatives)


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
    """One object a line; a teacher's scores are written if every passage of a question has one, as the lists have no gaps."""
    write_lines(target.path, (_record(each, target.report) for each in target.counted(examples)))


def _record(example: Example, report: Report) -> dict[str, Any]:
    return {
        "query": example.query.text,
        "pos": [each.passage.text for each in example.positives],
        "neg": [each.passage.text for each in example.hard_negatives],
        **_scores(example, report),
        **example.fields,
    }


def _scores(example: Example, report: Report) -> dict[str, list[object]]:
    """Both lists, or neither."""
    given = {"pos_scores": example.positives, "neg_scores": example.hard_negatives}
    lists = {name: [_score(each, report) for each in contexts] for name, contexts in given.items()}
    scores = [each for values in lists.values() for each in values]
    if all(kind_of(each) == "a number" for each in scores):
        return lists
    found = sum(each is not None for each in scores)
    count(report.dropped, "scores of questions in which not every passage has a number", found)
    return {}


def _score(context: Context, report: Report) -> object:
    """The score, unless a search gave it, as ``source`` says: that is no teacher's."""
    score = context.notes.get(SCORE)
    if SOURCE not in context.notes:
        return score
    report.dropped[f"'{SOURCE}' of passages"] += 1
    count(report.dropped, "scores of a search, which are no teacher's", score is not None)
    return None


FORMAT = Format(
    "flagembedding",
    read,
    write,
    Holds(
        question_ids=False,
        hard_negatives=True,
        passage_ids=False,
        titles=False,
        notes=frozenset({SCORE, SOURCE}),
        fields=_FIELDS,
    ),
    (".jsonl", ".json"),
)
