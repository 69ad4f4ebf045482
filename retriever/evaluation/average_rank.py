"""DPR's dev metric: where the gold passage of each question comes among one fixed pool of passages."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.errors import InputError
from retriever.evaluation.bootstrap import mean_intervals


def gold_ranks(
    queries: NDArray[np.float32], passages: NDArray[np.float32], positives: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """Rank, from 0, of the best positive of each question among the passages that are none of its positives.

    A passage that scores the same as the positive counts as before it: else an encoder that maps everything to one
    point would be perfect.

    Args:
        queries: (Q, D).
        passages: (N, D), the pool.
        positives: Q non-empty lists of rows of the pool.

    Returns:
        (Q,) int64.

    Raises:
        InputError: a score that is not finite: no passage comes before it or after it.
    """
    ranks = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), 512):
        scores = queries[start : start + 512] @ passages.T  # (q, N)
        if not np.isfinite(scores).all():
            raise InputError("the model gives embeddings that are not finite")
        for row, own in enumerate(scores):
            gold = list(positives[start + row])
            others = own >= own[gold].max()
            others[gold] = False
            ranks[start + row] = np.count_nonzero(others)
    return ranks


def evaluate_ranks(
    queries: NDArray[np.float32],
    passages: NDArray[np.float32],
    positives: Sequence[Sequence[int]],
    *,
    temperature: float,
) -> tuple[dict[str, float], dict[str, NDArray[np.float64]]]:
    """All of ``rank_metrics`` and ``nll``, their mean over questions, each with ``…_low`` and ``…_high``; and the (Q,) values.

    Args:
        queries: (Q, D).
        passages: (N, D), the pool.
        positives: Q non-empty lists of rows of the pool.
        temperature: of the negative log likelihood.
    """
    values = rank_metrics(gold_ranks(queries, passages, positives))
    values["nll"] = negative_log_likelihoods(queries, passages, positives, temperature=temperature)
    low, high = mean_intervals(np.stack(list(values.values()), axis=1))
    metrics: dict[str, float] = {"questions": len(queries)}
    for column, (name, each) in enumerate(values.items()):
        ends = {f"{name}_low": float(low[column]), f"{name}_high": float(high[column])}
        metrics |= {name: float(each.mean()), **ends}
    return metrics, values


def negative_log_likelihoods(
    queries: NDArray[np.float32],
    passages: NDArray[np.float32],
    positives: Sequence[Sequence[int]],
    *,
    temperature: float,
) -> NDArray[np.float64]:
    """(Q,) −log softmax of the first positive among the pool, in which its other positives do not count.

    DPR's training loss with the pool as the candidates, so that it means the same for any batch size and number of processes.

    Args:
        queries: (Q, D).
        passages: (N, D), the pool.
        positives: Q non-empty lists of rows of the pool.
        temperature: divides the scores.
    """
    values = np.empty(len(queries))
    for start in range(0, len(queries), 512):
        scores = (queries[start : start + 512] @ passages.T).astype(np.float64) / temperature  # (q, N)
        for row, own in enumerate(scores):
            first, *others = positives[start + row]
            gold = own[first]
            own[[each for each in others if each != first]] = -np.inf
            values[start + row] = np.logaddexp.reduce(own) - gold
    return values


def rank_metrics(ranks: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """(Q,) of which the means are average rank (DPR; from 0, smaller is better), mean reciprocal rank, and accuracy at 1, 5, 20."""
    return {
        "average_rank": ranks.astype(np.float64),
        "mrr": 1 / (ranks + 1),
        **{f"accuracy@{k}": (ranks < k).astype(np.float64) for k in (1, 5, 20)},
    }
