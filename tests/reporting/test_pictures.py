"""The pictures show the numbers: what is on their axes is what came in."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from retriever.errors import InputError
from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.items import Items
from retriever.index.tune import Trade
from retriever.reporting.bands import bands_of, draw_bands
from retriever.reporting.corpus_map import Marked, Plane, draw_map
from retriever.reporting.figure import COLOURS, has_matplotlib, line_style, literal, new_figure, svg_bytes
from retriever.reporting.plane import draw_plane
from retriever.reporting.top_k import draw_top_k, top_k_curves
from retriever.reporting.trade_off import draw_trades

generator = np.random.default_rng(0)


def test_models_are_points_where_their_numbers_are_with_their_names_beside():
    (axes,) = draw_plane({"ours": (-3.8, 0.25), "other": (-1.6, 0.09)}).axes
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    assert places == [(-3.8, 0.25), (-1.6, 0.09)]
    assert [(each.get_text(), each.xy) for each in axes.texts] == [
        ("ours", (-3.8, 0.25)),
        ("other", (-1.6, 0.09)),
    ]
    assert axes.get_xlabel() == "uniformity (← lower is better)"
    assert axes.get_ylabel() == "alignment (← lower is better)"


def test_bands_of_the_scale_of_sts_are_whole_scores_and_five_is_in_the_last():
    gold = np.array([0, 0.99, 1, 2.5, 4, 5])
    bands = bands_of(np.arange(6.0), gold)
    assert [(each.low, each.high, each.predicted.tolist()) for each in bands] == [
        (0, 1, [0, 1]), (1, 2, [2]), (2, 3, [3]), (3, 4, []), (4, 5, [4, 5])
    ]  # fmt: skip
    assert bands[0].label == "0–1\nn = 2"


@pytest.mark.parametrize(
    ("gold", "ends"), [([0.2, 1.0], (0.2, 1.0)), ([-1, 3], (-1, 3)), ([1, 10], (1, 10)), ([1, 5], (0, 5))]
)
def test_other_scales_are_cut_into_five_bands_between_their_ends(gold, ends):
    bands = bands_of(np.zeros(2), np.array(gold, dtype=float))
    assert len(bands) == 5
    assert (bands[0].low, bands[-1].high) == ends


@given(st.lists(st.floats(-5, 9), min_size=1, max_size=30))
def test_every_pair_is_in_one_band(gold):
    values = np.array(gold)
    bands = bands_of(np.arange(len(gold), dtype=float), values)
    assert sorted(np.concatenate([each.predicted for each in bands])) == list(range(len(gold)))


def test_boxes_have_the_median_of_their_band_and_whiskers_at_its_5_and_95_per_cent():
    gold, predicted = generator.uniform(0, 5, 400), generator.uniform(-1, 1, 400)
    bands = bands_of(predicted, gold)
    figure = draw_bands({"a": bands, "b": bands}, "cosine")
    axes = figure.axes[0]
    medians = [line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 2.2]
    own = [predicted[(gold >= low) & (gold < low + 1)] for low in range(5)]
    assert medians == pytest.approx([np.median(each) for each in own])
    ends = {float(y) for line in axes.lines for y in line.get_ydata()}
    for each in own:
        assert any(np.isclose(y, np.percentile(each, 5)) for y in ends)
        assert any(np.isclose(y, np.percentile(each, 95)) for y in ends)
    assert [each.get_title() for each in figure.axes] == ["a", "b"]
    assert figure._supylabel.get_text() == "cosine"


def test_an_empty_band_is_drawn_as_nothing():
    figure = draw_bands({"a": bands_of(np.array([0.1, 0.2, 0.9]), np.array([0.5, 0.6, 4.5]))})
    labels = [each.get_text() for each in figure.axes[0].get_xticklabels()]
    assert labels == ["0–1\nn = 2", "1–2\nn = 0", "2–3\nn = 0", "3–4\nn = 0", "4–5\nn = 1"]


def items(values: dict[str, np.ndarray]) -> Items:
    count = len(next(iter(values.values())))
    return Items(tuple(f"q{row}" for row in range(count)), values)


def test_curves_over_k_are_the_means_with_the_intervals_of_the_results():
    values = {f"accuracy@{k}": (generator.random(60) < k / 30).astype(float) for k in (20, 1, 5)}
    found = top_k_curves(items({**values, "mrr@10": np.ones(60), "map": np.ones(60)}))
    assert list(found) == ["accuracy"]
    curve = found["accuracy"]
    assert curve.cutoffs == (1, 5, 20)
    columns = np.stack([values[f"accuracy@{k}"] for k in curve.cutoffs], axis=1)
    low, high = mean_intervals(columns)
    assert (curve.means.tolist(), curve.low.tolist(), curve.high.tolist()) == (
        columns.mean(axis=0).tolist(), low.tolist(), high.tolist()
    )  # fmt: skip
    figure = draw_top_k({"accuracy": {"_a": curve, "b": curve}})
    (axes,) = figure.axes
    assert axes.lines[0].get_xdata().tolist() == [1, 5, 20]
    assert axes.lines[0].get_ydata().tolist() == curve.means.tolist()
    band = axes.collections[0].get_paths()[0].vertices
    assert {*low, *high} <= set(band[:, 1])
    assert (axes.get_title(), axes.get_xlabel()) == ("top-k accuracy", "k (logarithmic)")
    assert [each.get_text() for each in figure.legends[0].get_texts()] == ["_a", "b"]


def test_the_plane_is_that_of_the_covariance_and_its_orientation_is_fixed():
    vectors = generator.normal(size=(200, 6)).astype(np.float32) * [5, 3, 1, 1, 1, 1] + 7
    plane = Plane.of(vectors)
    values, axes = np.linalg.eigh(np.cov(vectors.T.astype(float)))
    assert plane.shares == pytest.approx(tuple(values[::-1][:2] / values.sum()))
    assert np.abs(plane.directions @ axes[:, ::-1][:, :2]) == pytest.approx(np.eye(2), abs=1e-9)
    assert all(each[np.abs(each).argmax()] > 0 for each in plane.directions)
    points = plane.project(vectors)
    assert points.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert points.var(axis=0, ddof=1) == pytest.approx(values[::-1][:2])


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((2, 4)), "a map needs 3 vectors of 2 dimensions or more, found (2, 4)"),
        (np.ones((5, 4)), "a map needs different vectors: all of these are one point"),
    ],
)
def test_what_spans_no_plane_is_refused(vectors, message):
    with pytest.raises(InputError) as caught:
        Plane.of(vectors.astype(np.float32))
    assert str(caught.value) == message


def test_the_map_shows_all_points_the_question_and_its_hits_by_rank():
    vectors = generator.normal(size=(50, 4)).astype(np.float32)
    marked = Marked("is it $x$ or $y$?", vectors[3] * 0.5, ["one", "two"], vectors[:2])
    figure = draw_map(vectors, 1200, marked)
    (axes,) = figure.axes
    plane = Plane.of(vectors)
    assert np.asarray(axes.collections[0].get_offsets()) == pytest.approx(plane.project(vectors))
    drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    expected = plane.project(np.concatenate([marked.vector[None], marked.hits]))
    assert np.array(drawn) == pytest.approx(expected)
    assert [each.get_text() for each in axes.texts] == ["1", "2"]
    assert [each.get_text() for each in axes.get_legend().get_texts()] == [
        "passage", r"question: is it \$x\$ or \$y\$?", "1  one", "2  two"
    ]  # fmt: skip
    share = 100 * sum(plane.shares)
    assert axes.get_title() == (
        f"50 of 1,200 passages, drawn at random; the plane holds {share:.1f} % of the variance"
    )
    assert axes.get_xlabel() == f"principal component 1 ({100 * plane.shares[0]:.1f} % of the variance)"


def test_a_drawing_has_the_same_bytes_each_time_and_names_no_time_and_no_other_place():
    def draw():
        return draw_plane({"a$b$": (0, 0), "\x07\udcff<script>": (1, 1)})

    svg = svg_bytes(draw)
    assert svg == svg_bytes(draw)
    assert b"<dc:date" not in svg and b"<script" not in svg and b"<image" not in svg
    assert b"\x07" not in svg


def test_letters_that_the_font_lacks_are_told_once(caplog, recwarn):
    svg_bytes(lambda: draw_plane({"日本": (0, 0), "本": (1, 1)}))
    assert caplog.messages == ["the picture shows boxes for letters that its font does not have: 日本"]
    assert not list(recwarn)


def test_names_are_no_formulas():
    assert literal("a$b\n\x07\udcff") == r"a\$b???"


def test_recall_and_speed_are_a_line_a_recipe_with_a_star_on_the_best():
    trades = [
        Trade("flat", {}, 1.0, 90.0, 1.0, 2.0, 1536, None, best=True),
        Trade("hnsw", {"efSearch": 16}, 0.9, 500.0, 1.0, 2.0, 1808, 3.0, best=True),
        Trade("hnsw", {"efSearch": 32}, 0.99, 80.0, 1.0, 2.0, 1808, 3.0),
    ]
    (axes,) = draw_trades(trades).axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata()), line.get_marker()) for line in axes.lines]
    assert drawn == [
        ([1.0], [90.0], "o"), ([1.0], [90.0], "*"), ([0.9, 0.99], [500.0, 80.0], "o"), ([0.9], [500.0], "*")
    ]  # fmt: skip
    assert [each.get_text() for each in axes.get_legend().get_texts()] == [
        "flat (1536 bytes a vector)", "hnsw (1808 bytes a vector)"
    ]  # fmt: skip


def test_a_system_has_one_colour_in_all_pictures_of_a_page():
    systems = ["a", "b", "c"]
    ours = line_style(2)[0]
    assert draw_plane({"c": (0, 0)}, systems).axes[0].lines[0].get_color() == ours
    curve = top_k_curves(items({"hits@1": np.zeros(3), "hits@2": np.ones(3)}))["hits"]
    assert draw_top_k({"hits": {"c": curve}}, systems).axes[0].lines[0].get_color() == ours
    bands = bands_of(np.ones(2), np.array([1.0, 4.0]))
    assert draw_bands({"c": bands}, "dot", systems).axes[0].lines[-1].get_color() == ours
    assert draw_plane({"d": (0, 0), "e": (1, 1)}).axes[0].lines[1].get_color() == line_style(1)[0]


def test_28_lines_differ():
    assert len({line_style(place) for place in range(28)}) == 28
    assert [to_hex(each).upper() for each in COLOURS] == list(COLOURS)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not has_matplotlib()
    with pytest.raises(InputError, match="pictures need matplotlib: pip install"):
        new_figure(1, 1)
