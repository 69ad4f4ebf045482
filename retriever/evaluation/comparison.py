"""Is one system better than another? A paired bootstrap interval and a randomisation test over the same queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retriever.errors import InputError
from retriever.evaluation.bootstrap import CHUNK_ELEMENTS, mean_intervals


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean of first - second, its 95 % interval, and how easily chance would give as large a mean."""

    mean: float
    low: float
    high: float
    p_value: float


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, seed: int, resamples: int = 10_000
) -> PairedDifference:
    """Compare two systems by a value per query.

    The interval is the percentile bootstrap of the mean difference, queries being resampled. The two-sided p-value is of
    the sign-flip randomisation test: under the null hypothesis each query's difference might as well have the other sign.
    It is (1 + flips at least as extreme) / (1 + resamples), so never 0.

    Args:
        first: (Q,) or (seeds, Q) values; several training seeds are averaged first, so that Q queries are compared.
        second: (Q,) or (seeds, Q) values of the same queries in the same order; the number of seeds may differ.
        seed: seed of both.
        resamples: bootstrap resamples and sign flips, each.

    Raises:
        InputError: the systems have values for different numbers of queries, for none, or one that is not finite.
    """
    a, b = _per_query(first, "first"), _per_query(second, "second")
    if len(a) != len(b):
        raise InputError(
            f"a paired comparison needs the same queries: the first has {len(a)}, the second {len(b)}"
        )
    differences = a - b  # (Q,)
    low, high = mean_intervals(differences[:, None], resamples=resamples, seed=seed)
    p_value = _sign_flip_p_value(differences, resamples, np.random.default_rng([seed, 1]))
    return PairedDifference(float(differences.mean()), float(low[0]), float(high[0]), p_value)


def _per_query(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """(Q,) means over seeds."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"expected (Q,) or (seeds, Q) values, got shape {array.shape}")
    if array.size == 0:
        raise InputError(f"a paired comparison needs at least one query: the {name} has none")
    if not np.isfinite(array).all():
        raise InputError(f"a paired comparison needs finite values: the {name} has others")
    return array if array.ndim == 1 else array.mean(axis=0)


def _sign_flip_p_value(
    differences: NDArray[np.float64], resamples: int, generator: np.random.Generator
) -> float:
    """Two-sided p-value of the sum of the differences under random signs."""
    size = len(differences)
    total = differences.sum()
    # Sums that are equal on paper differ in their last digits, by their order.
    threshold = abs(total) - 1e-12 * np.abs(differences).sum()
    extreme = 0
    chunk = max(1, CHUNK_ELEMENTS // size)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        bits = np.frombuffer(generator.bytes(rows * (-(-size // 8))), dtype=np.uint8).reshape(rows, -1)
        kept = np.unpackbits(bits, axis=1, count=size).astype(np.float64)  # (rows, Q) of 0 and 1
        extreme += int(np.count_nonzero(np.abs(2 * (kept @ differences) - total) >= threshold))
    return (1 + extreme) / (1 + resamples)
