"""Reciprocal rank fusion: several rankings of one query become one, by ranks alone, whatever their scores mean."""

from collections.abc import Sequence
from math import fsum

from retriever.records import Ranking


def reciprocal_rank_fusion(rankings: Sequence[Ranking], *, k: int = 60, depth: int = 1000) -> Ranking:
    """Score each passage with the sum of 1 / (k + rank) over the rankings that hold it; ranks start at 1.

    Cormack, Clarke and Büttcher, SIGIR 2009, who fixed k = 60 and fused the first 1,000 of each ranking. The sums are
    exactly rounded, so that the order of the rankings changes no score.

    Args:
        rankings: rankings of one query.
        k: how little the first ranks count more than later ones; 0 or above.
        depth: hits of each ranking that count, at least 1.

    Returns:
        All passages that were counted. Equal scores: as first met, reading the rankings one after the other.
    """
    if k < 0 or depth < 1:
        raise ValueError(f"k must be at least 0 and depth at least 1, got k={k}, depth={depth}")
    shares: dict[str, list[float]] = {}
    for ranking in rankings:
        for rank, passage_id in enumerate(ranking.ids[:depth], start=1):
            shares.setdefault(passage_id, []).append(1 / (k + rank))
    fused = sorted(
        ((fsum(each), passage_id) for passage_id, each in shares.items()), key=lambda pair: -pair[0]
    )
    return Ranking([passage_id for _, passage_id in fused], [score for score, _ in fused])
