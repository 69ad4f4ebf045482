"""What judges rankings: qrels, gold passages or answers; which questions count; what must be told of them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.choices import AnswerMatch
from retriever.data.answers import MATCHERS, compile_answer, tokenise
from retriever.errors import InputError
from retriever.evaluation.judged import count_unreachable, judged_questions, relevant_queries
from retriever.evaluation.policy import RetrievalPolicy
from retriever.evaluation.ranking import Metric, score_rankings
from retriever.records import Passage, Qrels, Question

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
ANSWER_METRICS = GOLD_METRICS[:4]
OF_ANSWERS = ("accuracy", "success", "mrr")
"""Kinds of metrics for which the rank of the first answer is enough: how many passages hold one, nobody knows."""

Judge = Callable[[Sequence[str], Sequence[Sequence[str]]], NDArray[np.float64]]
"""B question ids, and of each the ids of the passages found, best first → (B, M) values from 0 to 1."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judging:
    """Who judges what.

    Attributes:
        judged_by: "qrels", "gold passage", "answer string" (or "answer regex"), or "gold passage, answer string".
        question_ids: of the Q questions that count, in the order given.
        metrics: M names.
        judges: their values side by side are those of the metrics.
        deepest: the largest cut-off of a metric, 0 where there is none.
        counts: what is left out or cannot be found.
        grades: of qrels that judge; what has none is not judged. None: other things judge.
        patterns: the answers, where they are regular expressions that judge.
    """

    judged_by: str
    question_ids: tuple[str, ...]
    metrics: tuple[str, ...]
    judges: tuple[Judge, ...]
    deepest: int
    counts: dict[str, int]
    grades: Qrels | None = None
    patterns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """The metrics that were asked for; none: the default ones.

    Attributes:
        metrics: names.
        k: depth of the rankings; None: as deep as they are.
        source: the file of the qrels, or of the questions where these judge, for messages.
    """

    metrics: Sequence[str] = ()
    k: int | None = None
    source: Path | None = None

    def parse(self, default: Sequence[str]) -> list[Metric]:
        """The metrics; those of the default that look deeper than k are left out.

        Raises:
            InputError: one that was asked for is unknown, is asked for twice, or looks deeper than k.
        """
        found = [Metric.parse(name) for name in self.metrics or default]
        if len(set(self.metrics)) < len(self.metrics):
            raise InputError(f"a metric is asked for twice: {', '.join(self.metrics)}")
        within = [each for each in found if self.k is None or (each.cutoff or 0) <= self.k]
        if self.metrics and len(within) < len(found):
            beyond = next(each.name for each in found if each not in within)
            raise InputError(
                f"{beyond} looks deeper than the {self.k} passages of a ranking that count: raise k"
            )
        if len(within) < len(found):
            left = ", ".join(each.name for each in found if each not in within)
            logger.info("k is %d: %s, which look deeper, are left out", self.k, left)
        return within


def judging_by_qrels(
    qrels: Qrels,
    questions: Sequence[Question] | None,
    passages: Mapping[str, Passage] | None,
    asked: Asked,
    policy: RetrievalPolicy,
) -> Judging:
    """By relevance judgements: of the questions, or, without any, of all queries that they judge."""
    metrics = asked.parse(QRELS_METRICS)
    qrels, counts = _without_own(qrels, policy)
    relevant = relevant_queries(qrels)
    if questions is None:
        ids = [query for query in qrels if query in relevant]
        if not ids:
            raise InputError("the qrels name no relevant passage", path=asked.source)
        left_out = len(qrels) - len(ids)
    else:
        ids = [each.query.id for each in judged_questions(questions, relevant, source=asked.source)]
        left_out = len(questions) - len(ids)
    counts |= {"unjudged_questions": left_out, "judged_queries_not_asked": len(relevant) - len(ids)}
    counts |= count_unreachable(map(qrels.__getitem__, ids), passages, source=asked.source)
    judging = _judging("qrels", ids, [(metrics, "", by_grades(qrels, metrics))], counts)
    return replace(judging, grades=qrels)


def _without_own(grades: Qrels, policy: RetrievalPolicy) -> tuple[Qrels, dict[str, int]]:
    """The grades without those of passages that have the query's own id, where these are dropped from rankings; how many there were."""
    if policy.self_hits == "keep":
        return grades, {}
    others = {
        query: {each: grade for each, grade in own.items() if each != query}
        for query, own in grades.items()
        if query in own
    }
    return {**grades, **others}, {"self_judgements": len(others)}


def judging_by_question(
    questions: Sequence[Question],
    passages: Mapping[str, Passage] | None,
    asked: Asked,
    policy: RetrievalPolicy,
) -> Judging:
    """By gold passages, answers or both: by whatever every question has."""
    if policy.unjudged == "left_out":
        raise InputError(
            "unjudged passages can be left out with qrels only: nothing else judges any as not relevant"
        )
    with_gold, with_answers = _what_all_have(questions, passages, asked.source)
    judges: list[tuple[list[Metric], str, Judge]] = []
    names: list[str] = []
    counts: dict[str, int] = {}
    patterns: frozenset[str] = frozenset()
    if with_gold:
        metrics = asked.parse(GOLD_METRICS)
        every = {each.query.id: dict.fromkeys(each.positive_ids, 1) for each in questions}
        gold, counts = _without_own(every, policy)
        if counts:
            questions = [each for each in questions if gold[each.query.id]]
            if not questions:
                raise InputError(
                    "no question has a gold passage with another id than its own", path=asked.source
                )
            counts |= {"unjudged_questions": len(every) - len(questions)}
        own = (gold[each.query.id] for each in questions)
        counts |= count_unreachable(own, passages, source=asked.source)
        judges.append((metrics, "", by_grades(gold, metrics)))
        names.append("gold passage")
    if with_answers and passages is not None:
        metrics = asked.parse(ANSWER_METRICS)
        others = [each.name for each in metrics if each.kind not in OF_ANSWERS]
        if others and not with_gold:
            raise InputError(
                f"{others[0]} needs all relevant passages, and the questions have answers only: known of them are "
                f"{', '.join(f'{each}@k' for each in OF_ANSWERS)}"
            )
        metrics = [each for each in metrics if each.kind in OF_ANSWERS]
        if metrics:
            check_answers(questions, policy.answer_match, asked.source)
            answers = {each.query.id: each.answers for each in questions}
            judge = by_answers(answers, passages, metrics, policy.answer_match)
            judges.append((metrics, "answer_" if with_gold else "", judge))
            names.append(f"answer {policy.answer_match}")
            if policy.answer_match == "regex":
                patterns = frozenset(answer for each in questions for answer in each.answers)
    judging = _judging(", ".join(names), [each.query.id for each in questions], judges, counts)
    return replace(judging, patterns=patterns)


def _judging(
    judged_by: str, ids: Sequence[str], judges: list[tuple[list[Metric], str, Judge]], counts: dict[str, int]
) -> Judging:
    named = [(prefix + each.name, each) for metrics, prefix, _ in judges for each in metrics]
    return Judging(
        judged_by,
        tuple(ids),
        tuple(name for name, _ in named),
        tuple(judge for *_, judge in judges),
        max(each.cutoff or 0 for _, each in named),
        counts,
    )


def _what_all_have(
    questions: Sequence[Question], passages: Mapping[str, Passage] | None, source: Path | None
) -> tuple[bool, bool]:
    """Whether every question has a gold passage, and whether every question has answers."""
    no_gold = next((each for each in questions if not each.positive_ids), None)
    no_answers = next((each for each in questions if not each.answers), None)
    for each in questions:
        if not each.positive_ids and not each.answers:
            raise InputError(
                f"question '{each.query.id}' has neither answers nor a positive passage id, and there are no qrels",
                path=source,
            )
    if no_gold and no_answers:
        raise InputError(
            f"question '{no_gold.query.id}' has no positive passage id and question '{no_answers.query.id}' "
            "no answers: all questions must be judged in one way",
            path=source,
        )
    if no_gold and passages is None:
        raise InputError("judging by answers needs the passages")
    return no_gold is None, no_answers is None


def by_grades(grades: Qrels, metrics: Sequence[Metric]) -> Judge:
    """A judge that knows the relevant passages."""
    return lambda ids, rankings: score_rankings(rankings, [grades[each] for each in ids], metrics)


def by_answers(
    answers: Mapping[str, Sequence[str]],
    passages: Mapping[str, Passage],
    metrics: Sequence[Metric],
    match: AnswerMatch,
) -> Judge:
    """A judge that reads the passages until one has an answer; trec_eval judges ids, so this is not its work."""
    matches = MATCHERS[match]
    depth = (
        None if any(each.cutoff is None for each in metrics) else max(each.cutoff or 0 for each in metrics)
    )

    def first_rank(question_id: str, ids: Sequence[str]) -> float:
        for rank, passage_id in enumerate(islice(ids, depth), start=1):
            if passage_id not in passages:
                raise InputError(
                    f"passage '{passage_id}', ranked for question '{question_id}', is not in the corpus"
                )
            if matches(passages[passage_id].text, answers[question_id]):
                return rank
        return np.inf

    def judge(ids: Sequence[str], rankings: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        first = np.array([first_rank(*each) for each in zip(ids, rankings, strict=True)])
        columns = [
            np.where(
                first <= (each.cutoff or np.inf), 1 / first if each.kind == "mrr" else first < np.inf, 0.0
            )
            for each in metrics
        ]
        return np.stack(columns, axis=1)

    return judge


def check_answers(questions: Sequence[Question], match: AnswerMatch, source: Path | None) -> None:
    """Raise InputError, which names ``source``, where an answer is to be a regular expression and is none; warn of those that can be in no passage."""
    empty = 0
    for question in questions:
        if match == "regex":
            for answer in question.answers:
                try:
                    compile_answer(answer)
                except InputError as error:
                    raise InputError(
                        f"question '{question.query.id}': {error.message}", path=source
                    ) from None
        empty += not any(tokenise(each) if match == "string" else each for each in question.answers)
    if empty:
        logger.warning("%d of %d questions have empty answers only: found nowhere", empty, len(questions))
