import math

from retriever.training.checkpoint import Best
from retriever.training.loop import DevEvaluation


def better(metric: str, new: float, old: float | None) -> bool:
    before = None if old is None else Best(1, {metric: old})
    return DevEvaluation(dict, metric, 1).better(Best(2, {metric: new}), before)


def test_better_follows_the_direction_of_the_metric() -> None:
    assert better("spearman_all", 0.5, 0.4)
    assert not better("spearman_all", 0.4, 0.4)
    assert better("average_rank", 3.0, 4.0)
    assert not better("average_rank", 5.0, 4.0)


def test_a_best_value_of_zero_is_a_value_and_nan_never_is() -> None:
    assert not better("spearman_all", -1.0, 0.0)
    assert not better("average_rank", 1.0, 0.0)
    assert better("average_rank", 0.0, None)
    assert not better("spearman_all", math.nan, None)
