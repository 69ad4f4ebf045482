"""Hubness: are a few texts the neighbours of everybody, and others of nobody?"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from retriever.evaluation.geometry import cosine_blocks, normalised

NEIGHBOURS = 10
"""The k that the field counts occurrences among (Radovanović et al. 2010)."""

ROUNDING = 1e-9
"""Cosines that differ by less are equal: the same product has other last digits in another place of a matrix."""


def k_occurrences(x: ArrayLike, k: int = NEIGHBOURS) -> NDArray[np.float64]:
    """How many rows have each row among their k nearest others by cosine; the mean is k.

    Rows that are as near as the k-th share the places that are left, so that the order of the rows does not count.

    Args:
        x: (N, D) embeddings, normalised here; N above k.
        k: neighbours.

    Returns:
        (N,) occurrences.

    Raises:
        ValueError: k is below 1 or not below N, or a row is zero or not finite.
    """
    embeddings = normalised(x)
    size = len(embeddings)
    if not 1 <= k < size:
        raise ValueError(f"{k} neighbours among {size} embeddings")
    occurrences = np.zeros(size)
    for own, cosines in cosine_blocks(embeddings):
        cosines[np.arange(len(own)), own] = -np.inf  # nobody is their own neighbour
        last = np.partition(cosines, size - k, axis=1)[:, size - k, None]  # (rows, 1): the k-th largest
        nearer = cosines > last + ROUNDING
        as_near = np.abs(cosines - last) <= ROUNDING
        left = (k - nearer.sum(axis=1)) / as_near.sum(axis=1)  # (rows,)
        occurrences += nearer.sum(axis=0) + left @ as_near
    return occurrences


def skewness(occurrences: ArrayLike) -> float:
    """Skewness of the k-occurrences, the usual measure of hubness: 0 without hubs; NaN where all occur equally often."""
    values = np.asarray(occurrences, dtype=np.float64)
    return float("nan") if np.ptp(values) < ROUNDING else float(stats.skew(values))


def never_retrieved(occurrences: ArrayLike) -> float:
    """Share of rows that are nobody's neighbour: anti-hubs, which a search cannot find by their like."""
    return float(np.mean(np.asarray(occurrences, dtype=np.float64) < ROUNDING))
