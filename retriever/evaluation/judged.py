"""Which questions are judged, and which relevant passages can be found at all; told where some are not."""

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

from retriever.errors import InputError
from retriever.records import Passage, Qrels, Question

logger = logging.getLogger(__name__)


def require_unique(questions: Sequence[Question]) -> None:
    """Raise InputError when there are no questions, or two with one id."""
    if not questions:
        raise InputError("no questions to evaluate")
    seen: set[str] = set()
    for question in questions:
        if question.query.id in seen:
            raise InputError(f"question id '{question.query.id}' occurs twice")
        seen.add(question.query.id)


def relevant_queries(qrels: Qrels) -> set[str]:
    """The queries with a relevant passage."""
    return {query for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}


def judged_questions(
    questions: Sequence[Question], relevant: Set[str], *, source: Path | None = None
) -> list[Question]:
    """The questions that are among the ``relevant_queries`` of qrels; the others are told, and so are queries without a question.

    Raises:
        InputError: there are none; it names ``source``, the file of the qrels.
    """
    judged = [question for question in questions if question.query.id in relevant]
    if not judged:
        raise InputError("the qrels name no relevant passage for any of the questions", path=source)
    if len(judged) < len(questions):
        logger.warning(
            "%d of %d questions are not judged by the qrels: left out",
            len(questions) - len(judged),
            len(questions),
        )
    if len(judged) < len(relevant):
        logger.warning(
            "%d of %d judged queries are not among the questions", len(relevant) - len(judged), len(relevant)
        )
    return judged


def count_unreachable(
    grades: Iterable[Mapping[str, int]],
    passages: Mapping[str, Passage] | None,
    *,
    source: Path | None = None,
) -> dict[str, int]:
    """Relevant passages that the corpus lacks, and questions of which it has none; both told, as no search can find them.

    Raises:
        InputError: it lacks all of them; it names ``source``, the file of the judgements.
    """
    if passages is None:
        return {}
    all_relevant = missing = questions = unreachable = 0
    for each in grades:
        found = [passage_id in passages for passage_id, grade in each.items() if grade > 0]
        all_relevant, missing = all_relevant + len(found), missing + found.count(False)
        questions, unreachable = questions + 1, unreachable + (not any(found))
    if missing == all_relevant:
        raise InputError(
            f"none of the {all_relevant} relevant passages is in the corpus: are they ids of another one?",
            path=source,
        )
    if missing:
        logger.warning(
            "%d of %d relevant passages are not in the corpus, all of those of %d of %d questions",
            missing,
            all_relevant,
            unreachable,
            questions,
        )
    return {"relevant_not_in_corpus": missing}
