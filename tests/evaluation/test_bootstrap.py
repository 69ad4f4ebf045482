import numpy as np
import pytest

from retriever.evaluation import bootstrap
from retriever.evaluation.bootstrap import mean_intervals, percentile_interval, resample_counts


def test_each_resample_draws_as_many_items_as_there_are() -> None:
    counts = np.concatenate(list(resample_counts(7, 50, seed=1)))
    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert (counts >= 0).all()


def test_items_are_drawn_equally_often_and_with_replacement() -> None:
    counts = np.concatenate(list(resample_counts(10, 20_000, seed=2)))
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.03)
    np.testing.assert_allclose((counts == 0).mean(), 0.9**10, atol=0.01)


def test_counts_equal_the_draws_of_the_generator_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(5).integers(9, size=(12, 9))
    expected = np.array([[np.count_nonzero(row == item) for item in range(9)] for row in drawn])
    for elements in (1, 30, 1000):
        monkeypatch.setattr(bootstrap, "CHUNK_ELEMENTS", elements)
        np.testing.assert_array_equal(np.concatenate(list(resample_counts(9, 12, seed=5))), expected)


def test_percentiles_leave_out_estimates_that_are_not_a_number() -> None:
    low, high = percentile_interval(np.array([np.nan, *np.arange(101.0)]), confidence=0.9)
    assert (float(low), float(high)) == pytest.approx((5, 95))


def test_intervals_of_means_equal_a_loop_over_resamples() -> None:
    values = np.random.default_rng(0).random((40, 2))
    drawn = np.random.default_rng(9).integers(40, size=(300, 40))
    means = np.array([values[rows].mean(axis=0) for rows in drawn])
    low, high = mean_intervals(values, resamples=300, seed=9)
    np.testing.assert_allclose(low, np.percentile(means, 2.5, axis=0), rtol=1e-12)
    np.testing.assert_allclose(high, np.percentile(means, 97.5, axis=0), rtol=1e-12)


def test_an_interval_covers_the_true_mean_about_95_times_in_100() -> None:
    generator = np.random.default_rng(4)
    samples = generator.normal(size=(60, 400))  # 400 experiments of 60 values each, true mean 0
    low, high = mean_intervals(samples, resamples=2000, seed=0)
    assert 0.90 <= np.mean((low <= 0) & (high >= 0)) <= 0.98


def test_equal_values_have_an_interval_of_no_width() -> None:
    low, high = mean_intervals(np.full((5, 1), 0.25))
    assert (low.tolist(), high.tolist()) == ([0.25], [0.25])
