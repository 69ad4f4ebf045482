"""End-to-end evaluation of a searcher: questions in, accuracy and rank metrics with intervals out."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retriever.data.answers import has_answer
from retriever.errors import InputError
from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.ranking import metric_named, score_ranking
from retriever.protocols import Progress, Searcher, no_progress
from retriever.records import Passage, Qrels, Question, Ranking

QRELS_METRICS = (
    "ndcg@10",
    "recall@100",
    "mrr@10",
    "map",
    "accuracy@1",
    "accuracy@5",
    "accuracy@20",
    "accuracy@100",
)
GOLD_METRICS = ("accuracy@1", "accuracy@5", "accuracy@20", "accuracy@100", "mrr@10")
ANSWER_CUTOFFS = (1, 5, 20, 100)

Judge = Callable[[Question, Ranking], dict[str, float]]
"""What one ranking is worth: metric → value from 0 to 1."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    """What a searcher achieved.

    Args:
        judged_by: "qrels", "gold passage", "answer string" or "gold passage, answer string".
        k: depth of the rankings.
        question_ids: the Q questions that count, in the order given.
        per_query: metric → (Q,) values from 0 to 1.
        metrics: metric → mean.
        intervals: metric → 95 % bootstrap interval of the mean.
    """

    judged_by: str
    k: int
    question_ids: tuple[str, ...]
    per_query: dict[str, NDArray[np.float64]]
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, without those per query."""
        return {
            "judged_by": self.judged_by,
            "k": self.k,
            "questions": len(self.question_ids),
            "metrics": dict(self.metrics),
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
        }


def evaluate_retrieval(
    searcher: Searcher,
    questions: Sequence[Question],
    *,
    qrels: Qrels | None = None,
    passages: Mapping[str, Passage] | None = None,
    k: int = 100,
    batch_size: int = 256,
    on_ranking: Callable[[str, Ranking], None] | None = None,
    progress: Progress = no_progress,
) -> RetrievalResult:
    """Search every question and judge what was found.

    With qrels, they judge: questions without a relevant passage in them are left out and not searched. Without, positive
    ids judge if every question has them (``accuracy@k``: a gold passage among the first k), and answers if every question
    has them and ``passages`` is given: as ``accuracy@k``, or ``answer_accuracy@k`` beside gold passages. An answer counts
    as DPR counts it: its tokens in a row in the passage's text, the title not searched. Metrics at a rank beyond ``k``
    are left out, and ``map`` is of the first k.

    Args:
        searcher: what is evaluated.
        questions: questions with unique ids.
        qrels: relevance judgements.
        passages: passage id → passage, for judging by answers.
        k: depth of the rankings; a smaller corpus gives shorter ones.
        batch_size: questions searched at once.
        on_ranking: called with each question's id and ranking, in order.
        progress: advanced by the questions of each batch.

    Raises:
        InputError: no questions, an id twice, nothing to judge a question by, or a found passage that ``passages`` lacks.
    """
    require_unique(questions)
    if qrels is None:
        judged_by, judge = _judge_by_question(questions, passages, k)
    else:
        judged_by, judge = (
            "qrels",
            _judge_by_grades(lambda question: qrels[question.query.id], _within(QRELS_METRICS, k)),
        )
        questions = judged_questions(questions, qrels)
        graded = [qrels[question.query.id].items() for question in questions]
        warn_of_unreachable([[id for id, grade in each if grade > 0] for each in graded], passages)
    rows: list[dict[str, float]] = []
    with progress(len(questions), "evaluate") as advance:
        for start in range(0, len(questions), batch_size):
            batch = questions[start : start + batch_size]
            rankings = searcher.search([question.query.text for question in batch], k)
            for question, ranking in zip(batch, rankings, strict=True):
                if on_ranking is not None:
                    on_ranking(question.query.id, ranking)
                rows.append(judge(question, ranking))
            advance(len(batch))
    return _result(judged_by, k, questions, rows)


def _result(
    judged_by: str, k: int, questions: Sequence[Question], rows: list[dict[str, float]]
) -> RetrievalResult:
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])  # (Q, metrics)
    low, high = mean_intervals(values)
    return RetrievalResult(
        judged_by=judged_by,
        k=k,
        question_ids=tuple(question.query.id for question in questions),
        per_query=dict(zip(names, values.T.copy(), strict=True)),
        metrics=dict(zip(names, values.mean(axis=0).tolist(), strict=True)),
        intervals=dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True)),
    )


def require_unique(questions: Sequence[Question]) -> None:
    """Raise InputError when there are no questions, or two with one id."""
    if not questions:
        raise InputError("no questions to evaluate")
    seen: set[str] = set()
    for question in questions:
        if question.query.id in seen:
            raise InputError(f"question id '{question.query.id}' occurs twice")
        seen.add(question.query.id)


def judged_questions(questions: Sequence[Question], qrels: Qrels) -> list[Question]:
    """The questions that have a relevant passage in the qrels."""
    relevant = {query for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    judged = [question for question in questions if question.query.id in relevant]
    if not judged:
        raise InputError("the qrels name no relevant passage for any of the questions")
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


def _judge_by_question(
    questions: Sequence[Question], passages: Mapping[str, Passage] | None, k: int
) -> tuple[str, Judge]:
    """By gold passages, answers or both: by whatever every question has."""
    no_gold = [question for question in questions if not question.positive_ids]
    no_answers = [question for question in questions if not question.answers]
    for question in no_gold:
        if not question.answers:
            raise InputError(
                f"question '{question.query.id}' has neither answers nor a positive passage id, and there are no qrels"
            )
    if no_gold and no_answers:
        raise InputError(
            f"question '{no_gold[0].query.id}' has no positive passage id and question '{no_answers[0].query.id}' "
            "no answers: all questions must be judged in one way"
        )
    if no_gold and passages is None:
        raise InputError("judging by answers needs the passages")
    judges: dict[str, Judge] = {}
    if not no_gold:
        warn_of_unreachable([question.positive_ids for question in questions], passages)
        judges["gold passage"] = _judge_by_grades(
            lambda question: dict.fromkeys(question.positive_ids, 1), _within(GOLD_METRICS, k)
        )
    if not no_answers and passages is not None:
        name = "accuracy" if no_gold else "answer_accuracy"
        judges["answer string"] = _judge_by_answers(passages, name, k)
    return ", ".join(judges), lambda question, ranking: {
        metric: value for judge in judges.values() for metric, value in judge(question, ranking).items()
    }


def warn_of_unreachable(relevant: Sequence[Iterable[str]], passages: Mapping[str, Passage] | None) -> None:
    """Say how many questions no search can answer: none of their relevant ids is in the corpus."""
    if passages is None:
        return
    missing = sum(not any(each in passages for each in ids) for ids in relevant)
    if missing:
        logger.warning("%d of %d questions have no positive passage in the corpus", missing, len(relevant))


def _within(names: Sequence[str], k: int) -> list[str]:
    """The metrics that a ranking of depth k can give."""
    return [name for name in names if int(name.partition("@")[2] or 0) <= k]


def _judge_by_grades(grades_of: Callable[[Question], Mapping[str, int]], names: Sequence[str]) -> Judge:
    functions = {name: metric_named(name) for name in names}
    return lambda question, ranking: score_ranking(ranking, grades_of(question), functions)


def _judge_by_answers(passages: Mapping[str, Passage], name: str, k: int) -> Judge:
    cutoffs = [cutoff for cutoff in ANSWER_CUTOFFS if cutoff <= k]

    def judge(question: Question, ranking: Ranking) -> dict[str, float]:
        answers = question.answers
        matches = (has_answer(text, answers) for text in _texts(ranking.ids[: cutoffs[-1]], passages))
        first = next((rank for rank, match in enumerate(matches, start=1) if match), k + 1)
        return {f"{name}@{cutoff}": float(first <= cutoff) for cutoff in cutoffs}

    return judge


def _texts(passage_ids: Sequence[str], passages: Mapping[str, Passage]) -> Iterator[str]:
    for passage_id in passage_ids:
        if passage_id not in passages:
            raise InputError(f"the search found passage '{passage_id}', which is not in the corpus")
        yield passages[passage_id].text
