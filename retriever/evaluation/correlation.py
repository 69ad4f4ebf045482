"""Correlations of similarities with people's scores, times 100 as papers print them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from retriever.evaluation.bootstrap import RESAMPLES, percentile_interval, resample_counts

ResampledCorrelation = Callable[
    [NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]
]


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation of two (N,) arrays, times 100, tied values sharing their mean rank.

    NaN, and no error, where it is not defined: fewer than two pairs, or an array of equal values.
    """
    first, second = _paired(x, y)
    return (
        float("nan") if _undefined(first, second) else 100 * float(stats.spearmanr(first, second).statistic)
    )


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's r of two (N,) arrays, times 100; NaN as ``spearman``."""
    first, second = _paired(x, y)
    return float("nan") if _undefined(first, second) else 100 * float(stats.pearsonr(first, second).statistic)


def spearman_interval(
    x: ArrayLike, y: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of ``spearman``, the pairs being resampled and ranks taken anew.

    Resamples in which it is not defined are left out; (NaN, NaN) where ``spearman`` itself is NaN.
    """
    return _interval(resampled_spearman, x, y, resamples, seed)


def pearson_interval(
    x: ArrayLike, y: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """As ``spearman_interval``, of ``pearson``."""
    return _interval(resampled_pearson, x, y, resamples, seed)


def _interval(
    estimate: ResampledCorrelation, x: ArrayLike, y: ArrayLike, resamples: int, seed: int
) -> tuple[float, float]:
    first, second = _paired(x, y)
    if _undefined(first, second):
        return float("nan"), float("nan")
    estimates = [estimate(first, second, counts) for counts in resample_counts(len(first), resamples, seed)]
    low, high = percentile_interval(100 * np.concatenate(estimates))
    return float(low), float(high)


def resampled_spearman(
    first: NDArray[np.float64], second: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,) and (N,) values, (R, N) times each pair was drawn → (R,) Spearman's rank correlation, not times 100.

    Ranks are taken anew in each resample, without sorting it: the rank of a value follows from how many drawn values lie below it.
    """
    centre = (counts.shape[1] + 1) / 2  # the mean of all ranks, tied or not
    return _correlation_about_0(
        resampled_ranks(first, counts) - centre, resampled_ranks(second, counts) - centre, counts
    )


def resampled_pearson(
    first: NDArray[np.float64], second: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As ``resampled_spearman``, Pearson's r."""
    size = counts.shape[1]
    a, b = (
        first - first.mean(),
        second - second.mean(),
    )  # else squares of large equal numbers would be subtracted
    sums = counts @ np.stack([a, b, a * b, a * a, b * b], axis=1)  # (R, 5)
    mean_a, mean_b, ab, aa, bb = (sums / size).T
    spread_a, spread_b = aa - mean_a**2, bb - mean_b**2
    # A resample of equal values has no spread but for the last digits.
    defined = (spread_a > 1e-12 * (a @ a / size)) & (spread_b > 1e-12 * (b @ b / size))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, (ab - mean_a * mean_b) / np.sqrt(spread_a * spread_b), np.nan)


def _paired(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected two arrays of one shape (N,), got {first.shape} and {second.shape}")
    return first, second


def _undefined(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    return len(first) < 2 or bool(np.ptp(first) == 0) or bool(np.ptp(second) == 0)


def resampled_ranks(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) values, (R, N) times each was drawn → (R, N) mean rank of each value in each resample."""
    distinct, inverse = np.unique(values, return_inverse=True)  # (U,) rising, (N,)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(distinct)))
    drawn = np.add.reduceat(counts[:, order], starts, axis=1)  # (R, U)
    below = np.cumsum(drawn, axis=1) - drawn  # (R, U)
    return (below + (drawn + 1) / 2)[:, inverse]  # (R, N)


def _correlation_about_0(
    first: NDArray[np.float64], second: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R, N) centred ranks, each counted as often as it was drawn → (R,) Pearson's r; NaN in a resample of equal values."""
    covariance = np.einsum("rn,rn,rn->r", counts, first, second)
    spread = np.einsum("rn,rn->r", counts, first**2) * np.einsum("rn,rn->r", counts, second**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(covariance / np.sqrt(spread))
