"""Percentile bootstrap: how often each item is drawn in a resample, and intervals of means."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CONFIDENCE = 0.95
CHUNK_ELEMENTS = 4_000_000  # 32 MB of draws at a time


def resample_counts(size: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw ``size`` of ``size`` items with replacement, ``resamples`` times.

    Yields:
        (chunk, size) how often each item was drawn; each row sums to size. The chunks together have ``resamples`` rows.
    """
    generator = np.random.default_rng(seed)
    chunk = max(1, CHUNK_ELEMENTS // size)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = generator.integers(size, size=(rows, size))
        drawn += size * np.arange(rows)[:, None]  # each row counts in bins of its own
        yield np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def percentile_interval(
    estimates: NDArray[np.float64], confidence: float = CONFIDENCE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R, ...) estimates, one per resample → (...) lower and (...) upper ends; NaN estimates are left out."""
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(estimates, [tail, 100 - tail], axis=0)
    return low, high


def mean_intervals(
    values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % intervals of the column means, the rows (queries) being resampled.

    Args:
        values: (Q, metrics) with Q at least 1.
        resamples: bootstrap resamples.
        seed: seed of the draws; equal seeds give equal intervals.

    Returns:
        (metrics,) lower and (metrics,) upper ends.
    """
    size = len(values)
    means = [counts @ values / size for counts in resample_counts(size, resamples, seed)]
    return percentile_interval(np.concatenate(means))
