import math

import pytest

from retriever.reporting.series import Curve, curve, dev_curve, number, panels_of

RUN = [
    {"step": 0, "dev": {"spearman_all": 70.0, "pearson_all": 60.0}, "best": True},
    {"step": 10, "loss": 2.0, "learning_rate": 3e-5, "peak_memory_bytes": 2**31},
    {"step": 20, "loss": None, "learning_rate": 2e-5, "dev": {"spearman_all": 75.0}, "best": True},
    {"step": 30, "loss": 1.0, "dev": {"spearman_all": None}, "best": False},
    {"step": 40, "dev": {"spearman_all": 74.0}, "best": False},
]


def same(one: Curve, other: Curve) -> bool:
    """Equal, where NaN equals NaN."""
    return (one.steps, list(map(repr, one.values)), one.best) == (
        other.steps,
        list(map(repr, other.values)),
        other.best,
    )


def test_a_curve_has_a_gap_where_the_value_is_null_and_no_point_where_nothing_was_logged():
    assert same(curve(RUN, "loss"), Curve([10, 20, 30], [2.0, math.nan, 1.0]))
    assert same(curve(RUN, "learning_rate"), Curve([10, 20], [3e-5, 2e-5]))


def test_memory_is_in_gib():
    assert curve(RUN, "peak_memory_bytes").values == [2.0]


def test_the_dev_curve_knows_the_last_evaluation_that_was_best():
    expected = Curve([0, 20, 30, 40], [70.0, 75.0, math.nan, 74.0], best=1)
    assert same(dev_curve(RUN, "spearman_all"), expected)


def test_without_a_best_evaluation_nothing_is_marked():
    assert dev_curve([{"step": 0, "dev": {"nll": 1.0}}], "nll").best is None


def test_panels_come_in_order_and_only_for_what_has_numbers():
    run = [*RUN, {"step": 50, "alignment": None, "epoch": 5.0, "uniformity": "text"}]
    panels = panels_of({"a": run})
    assert list(panels) == ["loss", "dev spearman_all", "learning rate", "peak memory, GiB"]


def test_runs_with_different_dev_metrics_get_a_panel_each():
    other = [{"step": 0, "dev": {"average_rank": 7.0, "nll": 1.0}, "best": True}, {"step": 10, "loss": 0.5}]
    panels = panels_of({"simcse": RUN, "dpr": other})
    assert list(panels["loss"]) == ["simcse", "dpr"]
    assert list(panels["dev spearman_all"]) == ["simcse"]
    assert list(panels["dev average_rank"]) == ["dpr"]
    assert "dev nll" not in panels


@pytest.mark.parametrize("value", [None, "1", True, math.nan, math.inf, [1.0], {}])
def test_what_is_no_finite_number_is_a_gap(value):
    assert math.isnan(number(value))


def test_a_damaged_evaluation_is_none():
    assert panels_of({"a": [{"step": 0, "dev": 5, "loss": 1}]}).keys() == {"loss"}
