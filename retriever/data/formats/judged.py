"""Judgements as passages of a question, and back: what is graded above 0 is a positive, the rest people found irrelevant."""

from pathlib import Path

from retriever.data.formats.model import GRADE, Context, Example, Report
from retriever.data.rankings import judgement_line
from retriever.errors import InputError
from retriever.records import Qrels


def contexts_of_grades(grades: dict[str, int]) -> tuple[tuple[Context, ...], tuple[Context, ...]]:
    """Positives and judged negatives; the grade is a note, but for the usual 1."""
    positives = tuple(
        Context(each, notes={} if grade == 1 else {GRADE: grade})
        for each, grade in grades.items()
        if grade > 0
    )
    negatives = tuple(Context(each, notes={GRADE: grade}) for each, grade in grades.items() if grade <= 0)
    return positives, negatives


def judgements_of(example: Example, path: Path, report: Report) -> tuple[list[tuple[str, int]], list[str]]:
    """Passage ids with their grades, and the ids of the hard negatives that nobody judged: mined ones.

    A hard negative that is a positive of the question, too, is neither, and is counted.

    Raises:
        InputError: a grade that is no whole number, or that says the contrary.
    """
    judged = [
        (each.id, _checked(each.notes.get(GRADE, 1), each, path, positive=True)) for each in example.positives
    ]
    positives, mined = {each.id for each in example.positives}, []
    for context in example.hard_negatives:
        if context.id in positives:
            report.dropped["hard negatives that are positives of the same question"] += 1
        elif GRADE in context.notes:
            judged.append((context.id, _checked(context.notes[GRADE], context, path, positive=False)))
        else:
            mined.append(context.id)
    return judged, mined


def _checked(grade: object, context: Context, path: Path, *, positive: bool) -> int:
    if isinstance(grade, bool) or not isinstance(grade, int) or (grade > 0) != positive:
        kind = "positive" if positive else "negative"
        raise InputError(f"the {kind} passage '{context.id}' has the grade {grade!r}", path=path)
    return grade


def require_questions(judged: Qrels, path: Path, questions: Path) -> None:
    """Raise InputError if there are judgements left whose question is not among the questions."""
    for query_id, grades in judged.items():
        line = judgement_line(path, query_id, next(iter(grades)))
        raise InputError(f"query '{query_id}' is not in {questions.name}", path=path, line=line)
