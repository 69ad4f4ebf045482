from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from retriever.evaluation.correlation import pearson, spearman, spearman_interval

Correlation = Callable[[Sequence[float], Sequence[float]], Any]


def test_spearman_by_hand() -> None:
    # Differences of ranks 1, -1, 1, -1: 1 - 6 * 4 / (4 * 15)
    assert spearman([1, 2, 3, 4], [2, 1, 40, 30]) == pytest.approx(60.0)


def test_tied_values_share_their_mean_rank() -> None:
    # Ranks 1.5, 1.5, 3 and 1, 2, 3: covariance 1.5, variances 1.5 and 2
    assert spearman([0, 0, 1], [1, 2, 3]) == pytest.approx(100 * 1.5 / np.sqrt(1.5 * 2))


def test_pearson_by_hand() -> None:
    # Deviations -1, 0, 1 and -2, 1, 1: 3 / sqrt(2 * 6)
    assert pearson([1, 2, 3], [0, 3, 3]) == pytest.approx(100 * 3 / np.sqrt(12))


@pytest.mark.parametrize("correlation", [spearman, pearson])
@pytest.mark.parametrize(("x", "y"), [([1, 1, 1], [1, 2, 3]), ([1, 2], [5, 5]), ([1], [2]), ([], [])])
@pytest.mark.filterwarnings("error")
def test_a_correlation_that_is_not_defined_is_nan(
    correlation: Correlation, x: list[float], y: list[float]
) -> None:
    assert np.isnan(correlation(x, y))
    assert np.isnan(spearman_interval(x, y)).all()


@pytest.mark.parametrize("correlation", [spearman, pearson, spearman_interval])
def test_arrays_of_other_shapes_are_refused(correlation: Correlation) -> None:
    with pytest.raises(ValueError, match=r"expected two arrays of one shape \(N,\), got \(2,\) and \(3,\)"):
        correlation([1, 2], [1, 2, 3])


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 1)), min_size=6, max_size=25),
    seed=st.integers(0, 1000),
)
def test_the_interval_equals_a_loop_of_scipy_over_resamples(
    pairs: list[tuple[int, float]], seed: int
) -> None:
    x, y = np.array([0, 5, *(pair[0] for pair in pairs)]), np.array([-1.5, 1.5, *(pair[1] for pair in pairs)])
    drawn = np.random.default_rng(seed).integers(len(x), size=(40, len(x)))
    ranked = [(stats.rankdata(x[rows]), stats.rankdata(y[rows])) for rows in drawn]
    estimates = [100 * np.corrcoef(*ranks)[0, 1] for ranks in ranked if np.ptp(ranks[0]) and np.ptp(ranks[1])]
    expected = np.percentile(estimates, [2.5, 97.5])
    np.testing.assert_allclose(spearman_interval(x, y, resamples=40, seed=seed), expected, atol=1e-9)


def test_the_interval_holds_the_estimate_and_narrows_with_more_pairs() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=2000)
    y = x + generator.normal(size=2000)
    wide, narrow = spearman_interval(x[:100], y[:100]), spearman_interval(x, y)
    assert wide[0] < spearman(x[:100], y[:100]) < wide[1]
    assert narrow[0] < spearman(x, y) < narrow[1]
    assert (narrow[1] - narrow[0]) < (wide[1] - wide[0]) / 3  # about 1 / sqrt(20)


def test_equal_seeds_give_equal_intervals_and_others_not() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 50))
    assert spearman_interval(x, y, seed=3) == spearman_interval(x, y, seed=3)
    assert spearman_interval(x, y, seed=3) != spearman_interval(x, y, seed=4)
