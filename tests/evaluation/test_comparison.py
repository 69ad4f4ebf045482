from itertools import product

import numpy as np
import pytest
from scipy import stats

from retriever.errors import InputError
from retriever.evaluation import bootstrap, comparison
from retriever.evaluation.comparison import paired_difference

generator = np.random.default_rng(0)
SECOND = generator.random(200)
FIRST = SECOND + generator.normal(0.1, 0.3, size=200)


def test_mean_and_interval_equal_scipys_paired_bootstrap() -> None:
    expected = stats.bootstrap(
        (FIRST - SECOND,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = paired_difference(FIRST, SECOND, seed=0)
    assert found.mean == pytest.approx(np.mean(FIRST) - np.mean(SECOND))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.003)


@pytest.mark.parametrize(
    "differences", [[0.5, 0.25, 1.0, -0.25, 0.75, 0.5, 0.0, 0.1], [1.0] * 5, [1.0, -1.0]]
)
def test_the_p_value_nears_that_of_all_sign_flips(differences: list[float]) -> None:
    sums = [abs(np.dot(signs, differences)) for signs in product([-1, 1], repeat=len(differences))]
    exact = np.mean([each >= abs(sum(differences)) - 1e-9 for each in sums])
    found = paired_difference(differences, np.zeros(len(differences)), seed=3, resamples=40_000)
    assert found.p_value == pytest.approx(exact, abs=0.008)


def test_p_values_are_uniform_where_there_is_no_difference() -> None:
    pairs = np.random.default_rng(2).normal(size=(300, 2, 25))
    p_values = [paired_difference(first, second, seed=seed, resamples=400).p_value
                for seed, (first, second) in enumerate(pairs)]  # fmt: skip
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_swapping_the_systems_turns_the_sign_and_keeps_the_p_value() -> None:
    one, other = paired_difference(FIRST, SECOND, seed=5), paired_difference(SECOND, FIRST, seed=5)
    assert (other.mean, other.low, other.high) == pytest.approx((-one.mean, -one.high, -one.low))
    assert other.p_value == one.p_value < 0.01


def test_equal_systems_do_not_differ() -> None:
    found = paired_difference(FIRST, FIRST, seed=0, resamples=100)
    assert (found.mean, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_p_value_is_never_0() -> None:
    assert paired_difference(np.ones(50), np.zeros(50), seed=0, resamples=999).p_value == 1 / 1000


def test_seeds_are_averaged_before_queries_are_compared() -> None:
    seeds = FIRST + np.array([[0.25], [-0.25], [0.0]])
    assert paired_difference(seeds, [SECOND, SECOND], seed=1) == paired_difference(
        seeds.mean(axis=0), SECOND, seed=1
    )


def test_chunks_do_not_change_the_interval_and_hardly_the_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FIRST[:20] - 0.05, SECOND[:20]
    whole = paired_difference(first, second, seed=7)
    for module in (bootstrap, comparison):
        monkeypatch.setattr(module, "CHUNK_ELEMENTS", 1_000)
    chunked = paired_difference(first, second, seed=7)
    assert (chunked.mean, chunked.low, chunked.high) == (whole.mean, whole.low, whole.high)
    assert chunked.p_value == pytest.approx(whole.p_value, abs=0.02)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1, 2], [1, 2, 3], "a paired comparison needs the same queries: the first has 2, the second 3"),
        ([], [], "a paired comparison needs at least one query: the first has none"),
        ([1.0], [np.nan], "a paired comparison needs finite values: the second has others"),
    ],
)
def test_values_that_cannot_be_paired_are_refused(
    first: list[float], second: list[float], message: str
) -> None:
    with pytest.raises(InputError) as error:
        paired_difference(first, second, seed=0)
    assert str(error.value) == message
