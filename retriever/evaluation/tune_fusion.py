"""Which fusion of vectors and words finds most, by questions of one's own (``ctl tune-fusion``)."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from numpy.typing import NDArray

from retriever.choices import FusionMetric
from retriever.config.fusion import TuneFusionConfig
from retriever.data.answers import has_answer
from retriever.data.batched import batched
from retriever.data.dpr import locate_questions
from retriever.data.rankings import read_qrels
from retriever.errors import InputError
from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.judged import count_unreachable, judged_questions, relevant_queries, require_unique
from retriever.evaluation.ranking import Metric, score_rankings
from retriever.index.bm25 import settings_of
from retriever.index.opened import OpenIndex
from retriever.index.writing import put_into_force, writer
from retriever.protocols import Progress, no_progress
from retriever.records import Passage, Question
from retriever.search.fusion import FUSION, METHODS, Candidates, Fusion
from retriever.search.hybrid import HybridSearcher
from retriever.search.open import open_index

logger = logging.getLogger(__name__)

STEPS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0)
"""Weights of the dense side that are tried; of raw scores, times the ratio of the two sides' spreads."""

METRIC_DEPTH = 10
BATCH_SIZE = 64

Grades = Callable[[Question, Iterable[str]], Mapping[str, int]]
"""A question and ids of passages that were found → the grades of all that are relevant, as far as can be known."""


@dataclass(frozen=True)
class Trial:
    """One side alone, or one fusion.

    Attributes:
        name: dense, bm25, or the fusion's method.
        weight: of a fusion.
        value: mean of the metric.
        difference: from the better side.
        low: end of its 95 % interval, questions being resampled.
        high: the other end.
        best: of all fusions.
    """

    name: str
    weight: float | None
    value: float
    difference: float
    low: float
    high: float
    best: bool = False


def tune_fusion(config: TuneFusionConfig, *, progress: Progress = no_progress) -> list[Trial]:
    """Measure every fusion with every weight, and both sides alone, which come first.

    With ``apply`` mode hybrid of the index uses the best from then on: the highest, of equal ones that with the weight nearest to the default.

    Raises:
        InputError: no index, no BM25 in it, or questions that nothing judges by this metric.
    """
    located = list(locate_questions(config.questions))
    questions = [each for _, each in located]
    qrels = None if config.qrels is None else read_qrels(config.qrels)
    require_unique(questions)
    if qrels is not None:
        questions = judged_questions(questions, relevant_queries(qrels), source=config.qrels)
    searcher, opened = open_index(
        config.index,
        mode="hybrid",
        model=config.model,
        passage_model=config.passage_model,
        device=config.device,
    )
    if not isinstance(searcher, HybridSearcher):
        raise TypeError("mode hybrid gives a hybrid searcher")
    lines = {each.query.id: line for line, each in located}
    grades = _grades(config, questions, lines, qrels, opened)
    fusions, values = measure(
        searcher, questions, grades, config.metric, depth=config.depth, progress=progress
    )
    trials = compared(fusions, values)
    place = next(n for n, each in enumerate(trials) if each.best)
    _say(trials[place], trials[:2])
    if config.apply:
        chosen = fusions[place - 2].to_json() | {
            "metric": config.metric,
            "value": round(trials[place].value, 4),
            "questions": len(questions),
            "passages": len(opened),
        }
        _apply(opened, chosen)
    return trials


def measure(
    searcher: HybridSearcher,
    questions: Sequence[Question],
    grades: Grades,
    metric: FusionMetric,
    *,
    depth: int,
    progress: Progress = no_progress,
) -> tuple[list[Fusion], NDArray[np.float64]]:
    """Search each question once, and fuse what was found in every way.

    Returns:
        The F fusions, and (Q, 2 + F) values of the metric: dense alone, BM25 alone, each fusion.
    """
    fusions: list[Fusion] = []
    asked = [Metric.parse(metric)]
    rows: list[NDArray[np.float64]] = []
    with progress(len(questions), "measure") as advance:
        for batch in batched(questions, BATCH_SIZE):
            texts = [each.query.text for each in batch]
            sides = [each.search(texts, depth) for each in (searcher.dense, searcher.bm25)]
            candidates = [Candidates(dense, bm25, depth) for dense, bm25 in zip(*sides, strict=True)]
            fusions = fusions or fusions_to_try(candidates, depth)
            for question, dense, bm25, found in zip(batch, *sides, candidates, strict=True):
                rankings = [each.ids[:METRIC_DEPTH] for each in (dense, bm25)]
                rankings += [found.fused(each, METRIC_DEPTH).ids for each in fusions]
                relevant = grades(question, {id for each in rankings for id in each})
                rows.append(score_rankings(rankings, [relevant] * len(rankings), asked)[:, 0])
            advance(len(batch))
    return fusions, np.array(rows)


def fusions_to_try(candidates: Sequence[Candidates], depth: int) -> list[Fusion]:
    """Every method with every weight; raw scores are brought to about one scale by the questions at hand."""
    spreads = [tuple(float(side.std()) for side in each.scores()) for each in candidates if each.ids]
    ratio = float(np.median([bm25 / dense for dense, bm25 in spreads if dense > 0 and bm25 > 0] or [1.0]))
    return [
        Fusion(method, float(f"{step * (ratio if method == 'weighted' else 1):.2g}"), depth)
        for method in METHODS
        for step in STEPS
    ]


def compared(fusions: Sequence[Fusion], values: NDArray[np.float64]) -> list[Trial]:
    """(Q, 2 + F) values → both sides and each fusion, compared with the better side question by question."""
    means = values.mean(0)
    differences = values - values[:, [int(means[:2].argmax())]]
    low, high = mean_intervals(differences)
    steps = [STEPS[n % len(STEPS)] for n in range(len(fusions))]
    best = 2 + max(range(len(fusions)), key=lambda n: (means[2 + n], -abs(log(steps[n] / FUSION.weight)), -n))
    names = [("dense", None), ("bm25", None), *((each.method, each.weight) for each in fusions)]
    figures = zip(names, means, differences.mean(0), low, high, strict=True)
    return [
        Trial(name, weight, float(value), float(difference), float(from_), float(to), best=n == best)
        for n, ((name, weight), value, difference, from_, to) in enumerate(figures)
    ]


def _grades(
    config: TuneFusionConfig,
    questions: Sequence[Question],
    lines: Mapping[str, int],
    qrels: Mapping[str, Mapping[str, int]] | None,
    passages: Mapping[str, Passage],
) -> Grades:
    """By qrels, else by gold passages if all questions have them, else by answers."""
    if qrels is not None or all(each.positive_ids for each in questions):
        known = {
            each.query.id: dict.fromkeys(each.positive_ids, 1) if qrels is None else qrels[each.query.id]
            for each in questions
        }
        count_unreachable(known.values(), passages, source=config.qrels or config.questions)
        return lambda question, ids: known[question.query.id]
    for each in questions:
        if not each.answers:
            raise InputError(
                f"question '{each.query.id}' has no answers, and not all questions have a positive passage id: all must be "
                "judged in one way",
                path=config.questions,
                line=lines[each.query.id],
            )
    if config.metric == "ndcg@10":
        raise InputError(
            "ndcg@10 needs all relevant passages: questions with positive_passage_id, or --qrels"
        )
    return lambda question, ids: {id: int(has_answer(passages[id].text, question.answers)) for id in ids}


def _say(best: Trial, sides: Sequence[Trial]) -> None:
    better = max(sides, key=lambda each: each.value)
    logger.info(
        "best: %s, weight %g: %.4f, %+.4f over %s (95 %% from %+.4f to %+.4f); chosen by these very questions, so expect a little less on others",
        best.name,
        best.weight,
        best.value,
        best.difference,
        better.name,
        best.low,
        best.high,
    )
    if best.low <= 0:
        logger.warning(
            "on these questions no fusion is surely better than --mode %s alone: the best differs by %+.4f (95 %% from %+.4f to %+.4f)",
            better.name,
            best.difference,
            best.low,
            best.high,
        )


def _apply(measured: OpenIndex, fusion: dict[str, str | float]) -> None:
    """A generation with another fusion, over the same segments."""
    with writer(measured.path):
        opened = OpenIndex.open(measured.path)
        if opened.generation != measured.generation:
            raise InputError("was changed while it was measured: run this again", path=measured.path)
        put_into_force(
            measured.path, replace(opened.manifest, fusion=fusion), opened.removed, settings_of(opened)
        )
    logger.info(
        "applied: mode hybrid of %s fuses with %s, weight %g",
        measured.path,
        fusion["method"],
        fusion["weight"],
    )
