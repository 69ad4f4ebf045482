"""Evaluation of rankings, a searcher's or those of a file: accuracy and rank metrics with intervals."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.data.answers import stopped_patterns
from retriever.data.batched import batched
from retriever.errors import InputError
from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.judged import require_unique
from retriever.evaluation.judges import Asked, Judging, judging_by_qrels, judging_by_question
from retriever.evaluation.policy import RetrievalPolicy, judged_of
from retriever.protocols import Progress, Searcher, advancing, no_progress
from retriever.records import Passage, Qrels, Question, Ranking, Rankings

BATCH_SIZE = 256
POLICY = RetrievalPolicy()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    """What the rankings are worth.

    Args:
        judged_by: "qrels", "gold passage", "answer string" (or "answer regex"), or "gold passage, answer string".
        k: depth of the rankings; None: as deep as they came.
        question_ids: the Q questions that count, in the order given.
        per_query: metric → (Q,) values from 0 to 1.
        metrics: metric → mean.
        intervals: metric → 95 % bootstrap interval of the mean.
        counts: what was left out, scored 0 or dropped.
        policy: every choice that moves a number.
    """

    judged_by: str
    k: int | None
    question_ids: tuple[str, ...]
    per_query: dict[str, NDArray[np.float64]]
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    counts: dict[str, int] = field(default_factory=dict)
    policy: RetrievalPolicy = POLICY


def evaluate_retrieval(
    searcher: Searcher,
    questions: Sequence[Question],
    *,
    qrels: Qrels | None = None,
    passages: Mapping[str, Passage] | None = None,
    metrics: Sequence[str] = (),
    k: int = 100,
    policy: RetrievalPolicy = POLICY,
    source: Path | None = None,
    batch_size: int = BATCH_SIZE,
    on_ranking: Callable[[str, Ranking], None] | None = None,
    progress: Progress = no_progress,
) -> RetrievalResult:
    """Search every question and judge what was found.

    With qrels, they judge: questions without a relevant passage in them are left out and not searched. Without, positive
    ids judge if every question has them (``accuracy@k``: a gold passage among the first k), and answers if every question
    has them and ``passages`` is given: as ``accuracy@k``, or ``answer_accuracy@k`` beside gold passages. An answer counts
    as DPR counts it: its tokens in a row in the passage's text, the title not searched. Rankings are judged as they are found,
    and none is kept.

    Args:
        searcher: what is evaluated.
        questions: questions with unique ids.
        qrels: relevance judgements.
        passages: passage id → passage, for judging by answers, and to tell of relevant ones that are not there.
        metrics: ``ndcg@10``, ``recall@1000``, ``map`` … (``ranking.MEASURES``, ``WHOLE``); none: those of the judge, as far as k reaches.
        k: depth of the rankings; a smaller corpus gives shorter ones.
        policy: what counts how.
        source: the file of the qrels, or of the questions where these judge, for messages.
        batch_size: questions searched at once.
        on_ranking: called with each question's id and ranking, in order: the k passages that are judged, equal scores as they were found.
        progress: advanced by the questions of each batch.

    Raises:
        InputError: no questions, an id twice, nothing to judge a question by, a metric that is unknown or looks deeper than k, or a
            found passage that ``passages`` lacks.
    """
    judging = _choose(questions, qrels, passages, Asked(metrics, k, source), policy)
    counted = set(judging.question_ids)
    asked = [each for each in questions if each.query.id in counted]
    depth = k + (policy.self_hits == "drop")

    def search() -> Iterator[tuple[str, Ranking]]:
        for batch in batched(asked, batch_size):
            found = searcher.search([each.query.text for each in batch], depth)
            advance(len(batch))
            yield from zip([each.query.id for each in batch], found, strict=True)

    with progress(len(asked), "evaluate") as advance:
        return _score(_Tally(judging, k, policy, on_ranking, searched=True), search())


def evaluate_rankings(
    rankings: Rankings,
    *,
    questions: Sequence[Question] | None = None,
    qrels: Qrels | None = None,
    passages: Mapping[str, Passage] | None = None,
    metrics: Sequence[str] = (),
    k: int | None = None,
    policy: RetrievalPolicy = POLICY,
    source: Path | None = None,
    progress: Progress = no_progress,
) -> RetrievalResult:
    """Judge rankings that were made elsewhere, as ``evaluate_retrieval`` judges a search.

    Rankings of queries that are not judged are left out, judged queries without a ranking score 0, and both are counted and told.

    Args:
        rankings: (query id, ranking) pairs, streamed; none of them is kept.
        questions: needed without qrels, and then all of them count; with qrels, only those of them that are judged.
        qrels: relevance judgements.
        passages: as for ``evaluate_retrieval``.
        metrics: as for ``evaluate_retrieval``.
        k: only the first k passages of each ranking count, of those that are not left out; None: all.
        policy: what counts how.
        source: as for ``evaluate_retrieval``.
        progress: advanced by the rankings of each batch.

    Raises:
        InputError: as ``evaluate_retrieval``, two rankings of one query, or none of a judged one.
    """
    judging = _choose(questions, qrels, passages, Asked(metrics, k, source), policy)
    with progress(None, "evaluate") as advance:
        return _score(_Tally(judging, k, policy), advancing(rankings, advance))


def _choose(
    questions: Sequence[Question] | None,
    qrels: Qrels | None,
    passages: Mapping[str, Passage] | None,
    asked: Asked,
    policy: RetrievalPolicy,
) -> Judging:
    if questions is not None:
        require_unique(questions)
    if qrels is not None:
        return judging_by_qrels(qrels, questions, passages, asked, policy)
    if questions is None:
        raise InputError("nothing judges the rankings: give qrels, or questions with positive ids or answers")
    return judging_by_question(questions, passages, asked, policy)


FOUND = ("rankings_of_other_queries", "self_hits", "rankings_with_ties", "unjudged_hits")
"""What is counted while rankings pass by: whole rankings, but of unjudged hits the passages; all within the first k."""


@dataclass(slots=True)
class _Tally:
    """Values of the questions while rankings pass by: of each its values stay, and nothing else.

    A search was as deep as it was asked to be, and is cut to k before anything is reordered; a file may be deeper.
    """

    judging: Judging
    k: int | None
    policy: RetrievalPolicy
    on_ranking: Callable[[str, Ranking], None] | None = None
    searched: bool = False
    longest: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FOUND, 0))
    rows: dict[str, int] = field(init=False)
    values: NDArray[np.float64] = field(init=False)
    ranked: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = {each: row for row, each in enumerate(self.judging.question_ids)}
        self.values = np.zeros((len(self.rows), len(self.judging.metrics)))
        self.ranked = np.zeros(len(self.rows), dtype=bool)

    def add(self, batch: Sequence[tuple[str, Ranking]]) -> None:
        """Judge some rankings."""
        known: dict[str, Sequence[str]] = {}
        for query_id, ranking in batch:
            row = self.rows.get(query_id)
            if row is None:
                self.found["rankings_of_other_queries"] += 1
                continue
            if self.ranked[row]:
                raise InputError(f"query '{query_id}' has two rankings")
            self.ranked[row] = True
            self.found["self_hits"] += query_id in ranking.ids[: self.k]
            known[query_id] = self._first(query_id, self.policy.kept(query_id, ranking))
        if known:
            scores = [judge(list(known), list(known.values())) for judge in self.judging.judges]
            self.values[[self.rows[each] for each in known]] = np.concatenate(scores, axis=1)

    def _first(self, query_id: str, kept: Ranking) -> Sequence[str]:
        """The ids that are judged."""
        if self.searched and self.k is not None and len(kept) > self.k:
            kept = kept.head(self.k)  # one more was found, for questions that find themselves
        if self.on_ranking is not None:
            self.on_ranking(query_id, kept)
        scores, ids = kept.scores[: self.k], self.policy.order(kept)
        self.longest = max(self.longest, len(scores))
        self.found["rankings_with_ties"] += bool((scores[1:] == scores[:-1]).any())
        if self.judging.grades is not None:
            own = self.judging.grades[query_id]
            first = ids[: self.k]
            self.found["unjudged_hits"] += len(first) - len(judged_of(first, own))
            ids = self.policy.condensed(ids, own)
        return ids[: self.k]

    def counts(self) -> dict[str, int]:
        """What is left out, scored 0 or dropped; told, where it is seldom meant.

        Raises:
            InputError: no ranking is of a question that counts.
        """
        without, asked = int(np.count_nonzero(~self.ranked)), max(self.judging.deepest, self.k or 0)
        if without == len(self.rows):
            raise InputError("no ranking is of a query that is judged: are they ids of another set?")
        if without:
            logger.warning(
                "%d of %d judged queries have no ranking: they count as 0", without, len(self.rows)
            )
        others, own = self.found["rankings_of_other_queries"], self.found["self_hits"]
        if others:
            logger.warning("%d rankings are of queries that are not judged: left out", others)
        if own and self.policy.self_hits == "keep":
            logger.warning(
                "%d rankings hold a passage with the query's own id, which counts as any other; BEIR leaves it out: --self-hits drop",
                own,
            )
        if self.longest < asked:
            logger.warning(
                "%d passages were asked for and no ranking has more than %d (all of the corpus, or all that shares a word): what "
                "metrics look at beyond these counts as not found",
                asked,
                self.longest,
            )
        counts = {**self.judging.counts, "questions_without_ranking": without, **self.found}
        if self.judging.grades is None:
            del counts["unjudged_hits"]
        if self.judging.patterns:
            counts["answer_patterns_stopped"] = stopped_patterns(self.judging.patterns)
        return counts


def _score(tally: _Tally, rankings: Rankings) -> RetrievalResult:
    for batch in batched(rankings, BATCH_SIZE):
        tally.add(batch)
    counts = tally.counts()
    names, values = tally.judging.metrics, tally.values
    low, high = mean_intervals(values)
    return RetrievalResult(
        judged_by=tally.judging.judged_by,
        k=tally.k,
        question_ids=tally.judging.question_ids,
        per_query=dict(zip(names, values.T.copy(), strict=True)),
        metrics=dict(zip(names, values.mean(axis=0).tolist(), strict=True)),
        intervals=dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True)),
        counts=counts,
        policy=tally.policy,
    )
