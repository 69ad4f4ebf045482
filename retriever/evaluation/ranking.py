"""Metrics of rankings against relevance judgements, defined as in trec_eval."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.errors import InputError
from retriever.records import Qrels, Ranking, Rankings

Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""(L,) grades of the ranking in its order, (R,) grades of all relevant passages from the largest → value, 0 to 1."""


def ranking_metrics(rankings: Rankings, qrels: Qrels, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Score each judged query.

    A grade above 0 is relevant; a passage without a grade is not. The ranking's own order counts, where trec_eval sorts
    again by score and passage id. Who is counted: a query of the qrels that has no ranking scores 0; a query without a
    relevant passage in the qrels is left out, and so is a ranking of a query that the qrels do not know.

    Args:
        rankings: (query id, ranking) pairs, read once.
        qrels: the judgements.
        metrics: of ``accuracy@k`` (a relevant passage in the first k: 1), ``recall@k``, ``precision@k`` (of k, also where
            fewer were found), ``mrr@k`` (1 / rank of the first relevant one), ``ndcg@k`` (gain = grade, log2 discount) and
            ``map`` (of all that was found).

    Returns:
        query id → metric → value from 0 to 1, in the order of the qrels.

    Raises:
        InputError: an unknown metric, two rankings of one query, or no relevant passage in the qrels at all.
    """
    functions = {name: metric_named(name) for name in metrics}
    judged = {query: grades for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    if not judged:
        raise InputError("the qrels name no relevant passage")
    found: dict[str, dict[str, float]] = {}
    for query, ranking in rankings:
        if query in found:
            raise InputError(f"query '{query}' has two rankings")
        if query in judged:
            found[query] = score_ranking(ranking, judged[query], functions)
    return {query: found.get(query) or dict.fromkeys(functions, 0.0) for query in judged}


def mean_metrics(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean over queries of what ``ranking_metrics`` returns; {} of no queries."""
    rows = list(values.values())
    return {name: float(np.mean([row[name] for row in rows])) for name in (rows[0] if rows else ())}


def score_ranking(
    ranking: Ranking, grades: Mapping[str, int], functions: Mapping[str, Metric]
) -> dict[str, float]:
    """The metrics of one ranking; ``grades`` must hold one above 0."""
    gains = np.array([max(grades.get(passage_id, 0), 0) for passage_id in ranking.ids], dtype=np.float64)
    ideal = np.array(
        sorted((grade for grade in grades.values() if grade > 0), reverse=True), dtype=np.float64
    )
    return {name: function(gains, ideal) for name, function in functions.items()}


def metric_named(name: str) -> Metric:
    """The function of a metric's name.

    Raises:
        InputError: no such metric; the message lists those that there are.
    """
    if name == "map":
        return _average_precision
    match = re.fullmatch(r"([a-z]+)@([1-9][0-9]*)", name)
    if match is None or match[1] not in METRICS_AT:
        known = ", ".join([*(f"{each}@k" for each in METRICS_AT), "map"])
        raise InputError(f"unknown metric '{name}' (known: {known}, with k a whole number from 1)")
    function, k = METRICS_AT[match[1]], int(match[2])
    return lambda gains, ideal: float(function(gains[:k], ideal, k))


def _accuracy(gains: NDArray[np.float64], ideal: NDArray[np.float64], k: int) -> float:
    return float(np.any(gains > 0))


def _recall(gains: NDArray[np.float64], ideal: NDArray[np.float64], k: int) -> float:
    return np.count_nonzero(gains) / len(ideal)


def _precision(gains: NDArray[np.float64], ideal: NDArray[np.float64], k: int) -> float:
    return np.count_nonzero(gains) / k


def _reciprocal_rank(gains: NDArray[np.float64], ideal: NDArray[np.float64], k: int) -> float:
    relevant = np.flatnonzero(gains)
    return 1 / (1 + int(relevant[0])) if len(relevant) else 0.0


def _ndcg(gains: NDArray[np.float64], ideal: NDArray[np.float64], k: int) -> float:
    return _discounted(gains) / _discounted(ideal[:k])


def _discounted(gains: NDArray[np.float64]) -> float:
    """Σ gain / log2(rank + 1), ranks from 1."""
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))


def _average_precision(gains: NDArray[np.float64], ideal: NDArray[np.float64]) -> float:
    """The mean, over all relevant passages, of the precision at each one's rank; 0 for one that was not found."""
    ranks = np.flatnonzero(gains) + 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks)) / len(ideal)


METRICS_AT: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64], int], float]] = {
    "accuracy": _accuracy,
    "ndcg": _ndcg,
    "recall": _recall,
    "mrr": _reciprocal_rank,
    "precision": _precision,
}
