"""DPR's dev metric: where the gold passage of each question comes among one fixed pool of passages."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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
    """
    ranks = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), 512):
        scores = queries[start : start + 512] @ passages.T  # (q, N)
        for row, own in enumerate(scores):
            gold = list(positives[start + row])
            others = own >= own[gold].max()
            others[gold] = False
            ranks[start + row] = np.count_nonzero(others)
    return ranks


def negative_log_likelihood(
    queries: NDArray[np.float32],
    passages: NDArray[np.float32],
    positives: Sequence[Sequence[int]],
    *,
    temperature: float,
) -> float:
    """Mean over questions of −log softmax of the first positive among the pool, in which its other positives do not count.

    DPR's training loss with the pool as the candidates, so that it means the same for any batch size and number of processes.

    Args:
        queries: (Q, D).
        passages: (N, D), the pool.
        positives: Q non-empty lists of rows of the pool.
        temperature: divides the scores.
    """
    total = 0.0
    for start in range(0, len(queries), 512):
        scores = (queries[start : start + 512] @ passages.T).astype(np.float64) / temperature  # (q, N)
        for row, own in enumerate(scores):
            first, *others = positives[start + row]
            gold = own[first]
            own[[each for each in others if each != first]] = -np.inf
            total += np.logaddexp.reduce(own) - gold
    return float(total / len(queries))


def rank_metrics(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Average rank (DPR; from 0, smaller is better), reciprocal rank, and accuracy at 1, 5, 20."""
    return {
        "average_rank": float(ranks.mean()),
        "mrr": float((1 / (ranks + 1)).mean()),
        **{f"accuracy@{k}": float((ranks < k).mean()) for k in (1, 5, 20)},
    }
