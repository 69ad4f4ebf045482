import numpy as np
import pytest
from scipy import stats

from retriever.errors import InputError
from retriever.evaluation.correlation import pearson, spearman
from retriever.evaluation.correlation_difference import CORRELATIONS, correlation_difference

generator = np.random.default_rng(0)
GOLD = generator.integers(0, 11, size=120) / 2
BETTER = GOLD + generator.normal(size=120)
WORSE = 0.01 * GOLD + 0.05 * generator.normal(size=120)  # another scale, as another model's cosines have


def standard(name, values):
    ranked = stats.rankdata(values) if name == "spearman_all" else values
    return (ranked - ranked.mean()) / ranked.std()


@pytest.mark.parametrize("name", CORRELATIONS)
def test_the_difference_is_that_of_the_correlations_and_its_interval_scipys(name):
    function = spearman if name == "spearman_all" else pearson
    found = correlation_difference(name, BETTER, WORSE, GOLD, seed=0, resamples=3000)
    assert found.mean == pytest.approx(function(BETTER, GOLD) - function(WORSE, GOLD))
    expected = stats.bootstrap(
        (BETTER, WORSE, GOLD),
        lambda a, b, gold: function(a, gold) - function(b, gold),
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=3)
    assert found.low > 0 and found.p_value < 0.001


@pytest.mark.parametrize("name", CORRELATIONS)
def test_few_pairs_give_the_exact_p_value_of_scipys_permutation_test(name):
    a, b, gold = BETTER[:10], WORSE[:10], GOLD[:10]
    people = standard(name, gold)

    def statistic(x, y):
        return stats.pearsonr(x, people)[0] - stats.pearsonr(y, people)[0]

    expected = stats.permutation_test(
        (standard(name, a), standard(name, b)), statistic, permutation_type="samples", vectorized=False
    )
    assert correlation_difference(name, a, b, gold, seed=0).p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_false_alarms_of_systems_swapped_at_random_within_pairs(name):
    draws = np.random.default_rng(3)
    gold = draws.normal(size=60)
    one, other = (draws.normal(size=60) + weight * gold for weight in (1.0, 0.6))
    one, other = (standard("pearson_all", each) for each in (one, other))
    alarms = 0
    for seed in range(500):
        swapped = draws.random(60) < 0.5
        a, b = np.where(swapped, other, one), np.where(swapped, one, other)
        alarms += correlation_difference(name, a, b, gold, seed=seed, resamples=200).p_value < 0.05
    assert 0.03 <= alarms / 500 <= 0.07


def test_a_system_is_the_mean_of_its_seeds_and_one_seed_stands_against_several():
    seeds = np.stack([BETTER, BETTER + generator.normal(size=120)])
    found = correlation_difference("spearman_all", seeds, WORSE, GOLD, seed=0, resamples=500)
    expected = np.mean([spearman(each, GOLD) for each in seeds]) - spearman(WORSE, GOLD)
    assert found.mean == pytest.approx(expected)
    assert found.low < expected < found.high


def test_equal_systems_do_not_differ():
    found = correlation_difference("pearson_all", BETTER, BETTER, GOLD, seed=0, resamples=200)
    assert (found.mean, found.low, found.high, found.p_value) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("first", "second", "gold", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], [1.0, 2.0], "a comparison of correlations needs at least 3 pairs, found 2"),
        (
            [1.0, 1.0, 1.0],
            [1.0, 2.0, 3.0],
            [1.0, 2.0, 3.0],
            "similarities or gold scores are all equal: their correlation is undefined",
        ),
        (
            [[1.0, 2.0, 4.0]] * 2,
            [[1.0, 2.0, 3.0]] * 3,
            [1.0, 2.0, 3.0],
            "correlations of 2 and of 3 seeds cannot be paired: give equally many, or one",
        ),
    ],
)
def test_what_has_no_correlation_is_refused(first, second, gold, message):
    with pytest.raises(InputError) as error:
        correlation_difference("spearman_all", first, second, gold, seed=0)
    assert str(error.value) == message
