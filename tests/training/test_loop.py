import math

from retriever.training.loop import LARGER_IS_BETTER, DevEvaluation


def evaluation(metric: str) -> DevEvaluation:
    return DevEvaluation(dict, metric, 1)


def test_better_follows_the_direction_of_the_metric() -> None:
    assert LARGER_IS_BETTER == {"spearman_all": True, "average_rank": False}
    assert evaluation("spearman_all").better(0.5, 0.4)
    assert not evaluation("spearman_all").better(0.4, 0.4)
    assert evaluation("average_rank").better(3.0, 4.0)
    assert not evaluation("average_rank").better(5.0, 4.0)


def test_a_best_value_of_zero_is_a_value_and_nan_never_is() -> None:
    assert not evaluation("spearman_all").better(-1.0, 0.0)
    assert not evaluation("average_rank").better(1.0, 0.0)
    assert evaluation("average_rank").better(0.0, None)
    assert not evaluation("spearman_all").better(math.nan, None)
