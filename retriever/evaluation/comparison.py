"""Is one system better than another? Intervals of the difference and a randomisation test over the same queries."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retriever.errors import InputError
from retriever.evaluation.bootstrap import percentile_interval, resample_counts
from retriever.evaluation.signs import randomisation_p_values


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
    """``paired_differences`` of one metric."""
    return paired_differences({"": first}, {"": second}, seed=seed, resamples=resamples)[""]


def paired_differences(
    first: Mapping[str, ArrayLike], second: Mapping[str, ArrayLike], *, seed: int, resamples: int = 10_000
) -> dict[str, PairedDifference]:
    """Compare two systems by a value per query and metric.

    The interval is the percentile bootstrap of the mean difference: queries are resampled and, of a system with several
    training seeds, its seeds, too (with two or three seeds that is still too narrow, by nature). The two-sided p-value is of the
    sign-flip randomisation test of the seeds' mean: under the null hypothesis each query's difference might as well have the
    other sign. Each resample serves all metrics.

    Args:
        first: metric → (Q,) or (seeds, Q) values.
        second: the same metrics of the same queries in the same order; the number of seeds may differ.
        seed: seed of both.
        resamples: bootstrap resamples and sign flips, each.

    Returns:
        Metric → difference.

    Raises:
        InputError: the systems have values for different numbers of queries, for none, or one that is not finite.
    """
    seeds = tuple({name: _by_seed(each, which) for name, each in values.items()}
                  for values, which in ((first, "first"), (second, "second")))  # fmt: skip
    for a, b in ((seeds[0][name], seeds[1][name]) for name in seeds[0]):
        if a.shape[1] != b.shape[1]:
            raise InputError(
                f"a paired comparison needs the same queries: the first has {a.shape[1]}, the second {b.shape[1]}"
            )
    differences = np.stack(
        [seeds[0][name].mean(axis=0) - seeds[1][name].mean(axis=0) for name in seeds[0]], axis=1
    )  # (Q, metrics)
    estimates = _resampled_differences(*seeds, resamples=resamples, seed=seed)  # (R, metrics)
    low, high = percentile_interval(estimates)
    p_values = randomisation_p_values(
        lambda signs: signs @ differences,
        len(differences),
        tolerance=1e-12 * np.abs(differences).sum(axis=0),
        resamples=resamples,
        generator=np.random.default_rng([seed, 1]),
    )
    rows = np.stack([differences.mean(axis=0), low, high, p_values], axis=1).tolist()
    return {name: PairedDifference(*row) for name, row in zip(first, rows, strict=True)}


def seed_weights(resamples: int, seeds: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """(R, S) share of each of S seeds in each resample; rows sum to 1."""
    drawn = generator.integers(seeds, size=(resamples, seeds))
    return (drawn[:, :, None] == np.arange(seeds)).mean(axis=1)


def _resampled_differences(
    first: Mapping[str, NDArray[np.float64]],
    second: Mapping[str, NDArray[np.float64]],
    *,
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """(R, metrics) mean differences."""
    columns = [np.concatenate([first[name], -second[name]]) for name in first]  # (S_first + S_second, Q) each
    generator = np.random.default_rng([seed, 2])
    weights = [
        np.concatenate(
            [seed_weights(resamples, len(each[name]), generator) for each in (first, second)], axis=1
        )
        for name in first
    ]  # (R, S_first + S_second) each
    values = np.concatenate(columns).T  # (Q, all columns)
    means = [counts @ values / len(values) for counts in resample_counts(len(values), resamples, seed)]
    by_metric = np.split(np.concatenate(means), np.cumsum([len(each) for each in columns])[:-1], axis=1)
    return np.stack([(m * w).sum(axis=1) for m, w in zip(by_metric, weights, strict=True)], axis=1)


def _by_seed(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """(seeds, Q) values."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"expected (Q,) or (seeds, Q) values, got shape {array.shape}")
    if array.size == 0:
        raise InputError(f"a paired comparison needs at least one query: the {name} has none")
    if not np.isfinite(array).all():
        raise InputError(f"a paired comparison needs finite values: the {name} has others")
    return np.atleast_2d(array)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values corrected for their number by Holm (1979): the chance of one false alarm or more among all stays below the level.

    SciPy has corrections of the false discovery rate only.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate((len(raw) - np.arange(len(raw))) * raw[order])
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(stepped, 1)
    return corrected
