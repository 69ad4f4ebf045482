"""Does one system correlate better with people than another? Correlations are no means over pairs, so they are tested as a whole."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from retriever.errors import InputError
from retriever.evaluation.bootstrap import percentile_interval, resample_counts
from retriever.evaluation.comparison import PairedDifference, seed_weights
from retriever.evaluation.correlation import (
    ResampledCorrelation,
    pearson,
    resampled_pearson,
    resampled_spearman,
    spearman,
)
from retriever.evaluation.signs import Statistic, randomisation_p_values

CorrelationName = Literal["spearman_all", "pearson_all"]
CORRELATIONS: tuple[CorrelationName, ...] = get_args(CorrelationName)
RESAMPLED: dict[CorrelationName, ResampledCorrelation] = {
    "spearman_all": resampled_spearman,
    "pearson_all": resampled_pearson,
}
CORRELATION: dict[CorrelationName, Callable[[ArrayLike, ArrayLike], float]] = {
    "spearman_all": spearman,
    "pearson_all": pearson,
}


def correlation_difference(
    name: CorrelationName,
    first: ArrayLike,
    second: ArrayLike,
    gold: ArrayLike,
    *,
    seed: int,
    resamples: int = 10_000,
) -> PairedDifference:
    """Compare two systems by the correlation of their similarities with people's scores, times 100.

    The interval is the percentile bootstrap of the difference, pairs of sentences being resampled (and, of a system with several
    training seeds, its seeds). The two-sided p-value is of the randomisation test that swaps the systems' similarities within
    pairs. Two models' similarities lie on two scales, and a mixture of both would correlate with nothing: so what is swapped is
    their ranks (Spearman) or their standard scores (Pearson).

    Args:
        name: which correlation.
        first: (N,) or (seeds, N) similarities; a system's correlation is the mean over its seeds.
        second: as ``first``, of the same pairs; as many seeds, or one on either side.
        gold: (N,) people's scores.
        seed: seed of both.
        resamples: bootstrap resamples and swaps, each.

    Raises:
        InputError: fewer than 3 pairs, similarities or scores that are all equal, or numbers of seeds that differ and none is 1.
    """
    people = np.asarray(gold, dtype=np.float64)
    a, b = (np.atleast_2d(np.asarray(each, dtype=np.float64)) for each in (first, second))
    if not a.shape[1] == b.shape[1] == len(people):
        raise ValueError(f"expected equally many pairs, got {a.shape[1]}, {b.shape[1]} and {len(people)}")
    if len(people) < 3:
        raise InputError(f"a comparison of correlations needs at least 3 pairs, found {len(people)}")
    if any(np.ptp(each) == 0 for each in (*a, *b, people)):
        raise InputError("similarities or gold scores are all equal: their correlation is undefined")
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise InputError(
            f"correlations of {len(a)} and of {len(b)} seeds cannot be paired: give equally many, or one"
        )
    systems = [[CORRELATION[name](each, people) for each in system] for system in (a, b)]
    low, high = percentile_interval(_resampled_differences(RESAMPLED[name], a, b, people, resamples, seed))
    p_value = randomisation_p_values(
        _swapped(name, a, b, people),
        len(people),
        tolerance=1e-12,
        resamples=resamples,
        generator=np.random.default_rng([seed, 1]),
    )
    mean = float(np.mean(systems[0]) - np.mean(systems[1]))
    return PairedDifference(mean, 100 * float(low), 100 * float(high), float(p_value))


def _resampled_differences(
    correlation: ResampledCorrelation,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    gold: NDArray[np.float64],
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """(R,) differences of the systems' mean correlations, not times 100."""
    generator = np.random.default_rng([seed, 2])
    weights = np.concatenate(
        [seed_weights(resamples, len(first), generator), -seed_weights(resamples, len(second), generator)],
        axis=1,
    )  # (R, seeds of both)
    estimates = [
        np.stack([correlation(each, gold, counts) for each in (*first, *second)], axis=1)
        for counts in resample_counts(len(gold), resamples, seed)
    ]
    return np.asarray((np.concatenate(estimates) * weights).sum(axis=1))


def _swapped(
    name: CorrelationName, first: NDArray[np.float64], second: NDArray[np.float64], gold: NDArray[np.float64]
) -> Statistic:
    """The difference of Pearson's r after swaps; all its sums are linear in the signs.

    With m = (a + b) / 2 and d = (a - b) / 2, a pair of sign σ has m + σd and m - σd in the place of a and b.
    """
    seeds = max(len(first), len(second))
    a, b = (np.broadcast_to(_standard(name, each), (seeds, len(gold))) for each in (first, second))
    g = _standard(name, gold)
    middle, half = (a + b) / 2, (a - b) / 2  # (seeds, N)
    constant = (middle**2 + half**2).sum(axis=1)
    base = middle @ g

    def statistic(signs: NDArray[np.float64]) -> NDArray[np.float64]:
        with_gold, crossed, total = (
            signs @ each.T for each in (half * g, middle * half, half)
        )  # (rows, seeds) each
        mean_square = total**2 / len(gold)
        with np.errstate(invalid="ignore", divide="ignore"):
            one = (base + with_gold) / np.sqrt(constant + 2 * crossed - mean_square)
            other = (base - with_gold) / np.sqrt(constant - 2 * crossed - mean_square)
        return np.asarray((one - other).mean(axis=1) / np.linalg.norm(g))

    return statistic


def _standard(name: CorrelationName, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., N) values or their ranks, with mean 0 and standard deviation 1 in each row."""
    ranked = stats.rankdata(values, axis=-1) if name == "spearman_all" else values
    centred = ranked - ranked.mean(axis=-1, keepdims=True)
    return np.asarray(centred / centred.std(axis=-1, keepdims=True))
