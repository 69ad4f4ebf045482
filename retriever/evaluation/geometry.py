"""Where embeddings lie on the unit sphere: alignment, uniformity, mean cosine, spectrum. All of it in float64, in blocks of rows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK_ELEMENTS = 4_000_000  # 32 MB of cosines at a time


def alignment(x: ArrayLike, y: ArrayLike) -> float:
    """Mean squared distance of positive pairs, E ‖f(x) - f(x⁺)‖² (α = 2), from 0 to 4; smaller is better (Wang and Isola 2020).

    Args:
        x: (N, D) embeddings, normalised here.
        y: (N, D) embeddings of their positives.

    Raises:
        ValueError: shapes differ, there are no rows, or a row is zero or not finite.
    """
    return float(np.mean(pair_distances(x, y)))


def pair_distances(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """(N,) squared distance of each pair, of which ``alignment`` is the mean."""
    first, second = normalised(x), normalised(y)
    if first.shape != second.shape:
        raise ValueError(f"expected two arrays of one shape (N, D), got {first.shape} and {second.shape}")
    squared: NDArray[np.float64] = np.sum((first - second) ** 2, axis=1)
    return squared


def uniformity(x: ArrayLike, t: float = 2.0) -> float:
    """Log mean Gaussian potential of all pairs of different rows, log E exp(-t ‖f(x) - f(y)‖²), from -4t to 0; smaller is better.

    Args:
        x: (N, D) embeddings, normalised here; N at least 2. Equal rows count as pairs.
        t: 2 in the paper (Wang and Isola 2020) and in SimCSE.

    Raises:
        ValueError: fewer than two rows, or a row is zero or not finite.
    """
    return float(np.log(np.mean(mean_potentials(x, t))))


def mean_potentials(x: ArrayLike, t: float = 2.0) -> NDArray[np.float64]:
    """(N,) for each row the mean potential of its pairs with all other rows; ``uniformity`` is the logarithm of their mean."""
    embeddings = _several(x, "uniformity")
    totals = []
    for own, cosines in cosine_blocks(embeddings):
        potential = np.exp(-t * np.maximum(2 - 2 * cosines, 0))  # ‖a - b‖² = 2 - 2 a·b of unit vectors
        totals.append(potential.sum(axis=1) - potential[np.arange(len(own)), own])
    return np.concatenate(totals) / (len(embeddings) - 1)


def mean_cosine(x: ArrayLike) -> float:
    """Mean cosine of all pairs of different rows, from -1 to 1: anisotropy (Ethayarajh 2019), 0 where embeddings point everywhere.

    Exact, without the pairs: the sum vector's squared length holds them all.

    Raises:
        ValueError: as ``uniformity``.
    """
    return float(np.mean(mean_cosines(x)))


def mean_cosines(x: ArrayLike) -> NDArray[np.float64]:
    """(N,) for each row the mean cosine with all other rows."""
    embeddings = _several(x, "the mean cosine")
    cosines: NDArray[np.float64] = (embeddings @ embeddings.sum(axis=0) - 1) / (len(embeddings) - 1)
    return cosines


def singular_values(x: ArrayLike) -> NDArray[np.float64]:
    """(min(N, D),) singular values of the normalised, uncentred embeddings, largest first; their squares sum to 1.

    From the D × D products of the coordinates. What lies below their rounding is 0.

    Raises:
        ValueError: there are no rows, or a row is zero or not finite.
    """
    embeddings = normalised(x)
    size, dimension = embeddings.shape
    squared = np.linalg.eigvalsh(embeddings.T @ embeddings)[::-1][:size] / size  # (min(N, D),)
    squared[squared < squared[0] * dimension * np.finfo(np.float64).eps] = 0
    values: NDArray[np.float64] = np.sqrt(squared)
    return values


def effective_rank(values: ArrayLike) -> float:
    """Roy and Vetterli's (2007): exp of the entropy of the singular values divided by their sum, from 1 to their number.

    Args:
        values: singular values, not negative and not all 0.
    """
    shares = np.asarray(values, dtype=np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def cosine_blocks(embeddings: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Rows, and (rows, N) their cosines with all rows of (N, D) unit vectors, some rows at a time."""
    size = len(embeddings)
    chunk = max(1, CHUNK_ELEMENTS // size)
    for start in range(0, size, chunk):
        rows = np.arange(start, min(start + chunk, size))
        yield rows, embeddings[start : start + chunk] @ embeddings.T


def _several(embeddings: ArrayLike, what: str) -> NDArray[np.float64]:
    """At least two rows, normalised."""
    values = normalised(embeddings)
    if len(values) < 2:
        raise ValueError(f"{what} needs at least 2 embeddings, got {len(values)}")
    return values


def normalised(embeddings: ArrayLike) -> NDArray[np.float64]:
    """(N, D) rows of length 1, in float64.

    Raises:
        ValueError: not (N, D), there are no rows, or a row is zero or not finite.
    """
    values = np.asarray(embeddings, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"expected embeddings of shape (N, D), got {values.shape}")
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if len(bad):
        raise ValueError(f"embedding {bad[0]} has length {lengths[bad[0], 0]} and no direction")
    return values / lengths
