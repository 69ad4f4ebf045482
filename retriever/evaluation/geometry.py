"""Alignment and uniformity of embeddings on the unit sphere (Wang and Isola 2020); for both, smaller is better."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK_ELEMENTS = 4_000_000  # 32 MB of distances at a time


def alignment(x: ArrayLike, y: ArrayLike) -> float:
    """Mean squared distance of positive pairs, E ‖f(x) - f(x⁺)‖² (α = 2), from 0 to 4.

    Args:
        x: (N, D) embeddings, normalised here.
        y: (N, D) embeddings of their positives.

    Raises:
        ValueError: shapes differ, there are no rows, or a row is zero or not finite.
    """
    first, second = _normalised(x), _normalised(y)
    if first.shape != second.shape:
        raise ValueError(f"expected two arrays of one shape (N, D), got {first.shape} and {second.shape}")
    return float(np.mean(np.sum((first - second) ** 2, axis=1)))


def uniformity(x: ArrayLike, t: float = 2.0) -> float:
    """Log mean Gaussian potential of all pairs of different rows, log E exp(-t ‖f(x) - f(y)‖²), from -4t to 0.

    Args:
        x: (N, D) embeddings, normalised here; N at least 2. Equal rows count as pairs.
        t: 2 in the paper and in SimCSE.

    Raises:
        ValueError: fewer than two rows, or a row is zero or not finite.
    """
    embeddings = _normalised(x)
    size = len(embeddings)
    if size < 2:
        raise ValueError(f"uniformity needs at least 2 embeddings, got {size}")
    total = 0.0
    chunk = max(1, CHUNK_ELEMENTS // size)
    for start in range(0, size, chunk):
        rows = embeddings[start : start + chunk]
        squared = 2 - 2 * (rows @ embeddings.T)  # (chunk, N): ‖a - b‖² = 2 - 2 a·b of unit vectors
        potential = np.exp(-t * np.maximum(squared, 0))
        total += float(potential.sum() - potential[np.arange(len(rows)), start + np.arange(len(rows))].sum())
    return float(np.log(total / (size * (size - 1))))


def _normalised(embeddings: ArrayLike) -> NDArray[np.float64]:
    """(N, D) rows of length 1, in float64."""
    values = np.asarray(embeddings, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"expected embeddings of shape (N, D), got {values.shape}")
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if len(bad):
        raise ValueError(f"embedding {bad[0]} has length {lengths[bad[0], 0]} and no direction")
    return values / lengths
