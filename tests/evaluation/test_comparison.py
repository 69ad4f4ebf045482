from itertools import product

import numpy as np
import pytest
from scipy import stats

from retriever.errors import InputError
from retriever.evaluation import bootstrap, signs
from retriever.evaluation.comparison import holm, paired_difference, paired_differences
from retriever.evaluation.signs import randomisation_p_values

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


def test_seeds_are_averaged_and_make_the_interval_wider() -> None:
    seeds = FIRST + np.array([[0.25], [-0.25], [0.0]])
    several = paired_difference(seeds, [SECOND, SECOND], seed=1)
    one = paired_difference(seeds.mean(axis=0), SECOND, seed=1)
    assert (several.mean, several.p_value) == pytest.approx((one.mean, one.p_value))
    assert several.low < one.low < one.high < several.high
    equal = paired_difference([FIRST, FIRST], SECOND, seed=1)
    assert (equal.low, equal.high) == pytest.approx((one.low, one.high), abs=0.003)


def test_chunks_do_not_change_the_interval_and_hardly_the_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FIRST[:20] - 0.05, SECOND[:20]
    whole = paired_difference(first, second, seed=7)
    for module in (bootstrap, signs):
        monkeypatch.setattr(module, "CHUNK_ELEMENTS", 1_000)
    chunked = paired_difference(first, second, seed=7)
    assert (chunked.mean, chunked.low, chunked.high) == pytest.approx((whole.mean, whole.low, whole.high))
    assert chunked.p_value == pytest.approx(whole.p_value, abs=0.02)


def test_few_queries_give_the_exact_p_value_of_scipys_permutation_test() -> None:
    first, second = FIRST[:9], SECOND[:9]
    expected = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
    )
    assert paired_difference(first, second, seed=0).p_value == pytest.approx(expected.pvalue)


def test_several_metrics_at_once_are_as_one_by_one() -> None:
    first, second = {"x": FIRST, "y": FIRST**2}, {"x": SECOND, "y": SECOND**2}
    found = paired_differences(first, second, seed=3, resamples=500)
    for name, each in found.items():
        alone = paired_difference(first[name], second[name], seed=3, resamples=500)
        assert (each.mean, each.low, each.high, each.p_value) == pytest.approx(
            (alone.mean, alone.low, alone.high, alone.p_value)
        )


def test_false_alarms_of_two_systems_swapped_at_random_within_each_query() -> None:
    draws = np.random.default_rng(11)
    ranks = draws.geometric([[0.3], [0.5]], size=(2, 100))  # two systems of different quality
    one, other = np.where(ranks <= 10, 1 / ranks, 0.0)
    alarms = 0
    for seed in range(2000):
        swapped = draws.random(100) < 0.5
        differences = np.where(swapped, other - one, one - other)
        p_value = randomisation_p_values(
            lambda signs, d=differences: signs @ d,
            100,
            tolerance=1e-12,
            resamples=999,
            generator=np.random.default_rng(seed),
        )
        alarms += p_value < 0.05
    assert 0.04 <= alarms / 2000 <= 0.06


def test_a_planted_difference_is_found_with_its_sign_and_lies_in_the_interval() -> None:
    draws = np.random.default_rng(5)
    hard = draws.random(2000)
    first = (draws.random(2000) < 0.05 + 0.9 * hard).astype(float)
    second = (draws.random(2000) < 0.9 * hard).astype(float)  # right 5 % less often
    found = paired_difference(first, second, seed=0, resamples=2000)
    assert found.low <= 0.05 <= found.high
    assert found.mean > 0 and found.p_value < 0.05


def test_the_interval_holds_the_true_difference_about_95_times_in_100() -> None:
    draws = np.random.default_rng(6)
    held = 0
    for seed in range(300):
        second = draws.exponential(size=80)
        first = second + draws.normal(0.1, 0.5, size=80)
        found = paired_difference(first, second, seed=seed, resamples=400)
        held += found.low <= 0.1 <= found.high
    assert 0.91 <= held / 300 <= 0.98


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    assert holm([0.02]).tolist() == [0.02]


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
