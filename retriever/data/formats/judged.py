"""Judgements as passages of a question, and back: what is graded above 0 is a positive, the rest people found irrelevant."""

from pathlib import Path

from retriever.data.formats.fit import count
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

    A passage that the question names twice with one grade is judged once, and counted.

    Raises:
        InputError: a grade that is no whole number, or that says the contrary, or two grades of one passage.
    """
    mined = [each.id for each in example.hard_negatives if GRADE not in each.notes]
    found = [(each, True) for each in example.positives]
    found += [(each, False) for each in example.hard_negatives if GRADE in each.notes]
    judged: dict[str, int] = {}
    for context, positive in found:
        grade = _checked(context.notes.get(GRADE, 1), context, path, positive=positive)
        if judged.setdefault(context.id, grade) != grade:
            both = f"{judged[context.id]} and {grade}"
            message = f"query '{example.query.id}' has two grades for passage '{context.id}': {both}"
            raise InputError(message, path=path)
    unjudged = [each for each in dict.fromkeys(mined) if each not in judged]
    repeated = len(example.positives) + len(example.hard_negatives) - len(judged) - len(unjudged)
    count(report.dropped, "passages that their question names twice", repeated)
    return list(judged.items()), unjudged


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
