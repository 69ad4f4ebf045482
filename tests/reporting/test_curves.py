import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from retriever.errors import InputError
from retriever.reporting.curves import draw_curves, plot_runs, run_names
from retriever.reporting.figure import COLOURS, DASHES

RUN = [
    {"step": 0, "dev": {"spearman_all": 70.0}, "best": True},
    {"step": 10, "loss": 2.0, "learning_rate": 3e-5, "examples_per_second": 90.0},
    {"step": 20, "loss": None, "learning_rate": 2e-5, "examples_per_second": 100.0},
    {"step": 30, "loss": 1.0, "learning_rate": 1e-5, "dev": {"spearman_all": 75.25}, "best": True},
    {"step": 40, "loss": 0.5, "learning_rate": 0.0, "dev": {"spearman_all": 74.0}, "best": False},
]


def make_run(folder: Path, lines: list[dict] = RUN) -> Path:
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def drawn(figure):
    """The renderer, after everything has found its place."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def panels(figure) -> dict:
    return {axes.get_title(): axes for axes in figure.axes}


def test_every_quantity_has_a_panel_and_the_best_step_is_in_the_title():
    figure = draw_curves({"run": RUN})
    assert list(panels(figure)) == [
        "loss",
        "dev spearman_all (★ best: 75.25, step 30)",
        "learning rate",
        "examples per second",
    ]
    assert figure.get_suptitle() == "run"
    assert figure.legends == []


def test_null_is_a_gap_in_the_line_and_the_point_beside_it_is_still_seen():
    (line,) = panels(draw_curves({"run": RUN}))["loss"].lines
    steps, values = line.get_data()
    assert list(steps) == [10, 20, 30, 40]
    np.testing.assert_array_equal(values, [2.0, math.nan, 1.0, 0.5])
    assert 0 in line.get_markevery()


def test_long_curves_show_only_the_points_that_no_line_reaches():
    run = [{"step": step, "loss": None if step in (4, 6) else 1.0} for step in range(100)]
    (line,) = draw_curves({"run": run}).axes[0].lines
    assert line.get_markevery() == [5]


def test_the_star_is_on_the_best_evaluation():
    line, star = panels(draw_curves({"run": RUN}))["dev spearman_all (★ best: 75.25, step 30)"].lines
    assert (star.get_marker(), list(star.get_xdata()), list(star.get_ydata())) == ("*", [30], [75.25])
    assert star.get_color() == line.get_color()


def test_runs_are_told_apart_by_the_legend_in_every_panel():
    figure = draw_curves({"a": RUN, "_b $x$": RUN[:3], "c": RUN})
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "_b $x$", "c"]
    shown = [line.get_color() for line in legend.get_lines()]
    assert len(set(shown)) == 3
    loss = panels(figure)["loss"].lines
    assert [line.get_color() for line in loss] == shown
    assert "dev spearman_all (★ best)" in panels(figure)
    assert figure.get_suptitle() == ""


def test_28_runs_have_styles_of_their_own():
    lines = draw_curves({f"run {number}": RUN for number in range(28)}).axes[0].lines
    assert (
        len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(COLOURS) * len(DASHES) == 28
    )


def test_no_colour_is_lost_on_white_paper():
    def luminance(colour: str) -> float:  # WCAG 2.2, relative luminance
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert all(1.05 / (luminance(colour) + 0.05) > 2 for colour in COLOURS)


def test_all_panels_have_the_same_steps():
    assert len({axes.get_xlim() for axes in draw_curves({"a": RUN, "b": RUN[:2]}).axes}) == 1


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1e-3, 2.0], "log"), ([0.5, 2.0], "linear"), ([0.0, 1e6], "linear"), ([-1.0, 1e6], "linear")],
)
def test_positive_values_over_decades_are_on_a_logarithmic_scale(values, scale):
    run = [{"step": step, "loss": value} for step, value in enumerate(values)]
    assert draw_curves({"run": run}).axes[0].get_yscale() == scale


def test_speed_is_drawn_from_zero():
    low, high = panels(draw_curves({"run": RUN}))["examples per second"].get_ylim()
    assert low == 0 and high > 100


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "run",
    [
        [{"step": 0, "loss": 0.0}],
        [{"step": 5, "examples_per_second": 0.0, "loss": 1.0}],
        [{"step": 0, "dev": {"nll": 1.0}, "best": True}],
        [{"step": step, "loss": 3.0, "peak_memory_bytes": 0} for step in range(3)],
    ],
)
def test_a_single_point_and_a_flat_line_are_drawn_without_a_warning(tmp_path, run):
    assert imread(plot_runs([make_run(tmp_path / "run", run)])).shape[2] == 4


@pytest.mark.filterwarnings("error")
def test_nothing_overlaps_and_nothing_is_cut_off():
    names = [f"a-run-with-a-long-name/learning-rate-{number}e-5/temperature-0.05" for number in range(5)]
    run = [{**line, "peak_memory_bytes": 2**33, "mean_cosine": 0.1} for line in RUN]
    figure = draw_curves(dict.fromkeys(names, run))
    renderer = drawn(figure)
    width, height = figure.bbox.size
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes] + [
        figure.legends[0].get_window_extent(renderer)
    ]
    for place, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[:place])


def test_a_name_wider_than_the_picture_is_wrapped():
    figure = draw_curves({"x" * 500: RUN})
    renderer = drawn(figure)
    (title,) = [text for text in figure.texts if text.get_text() != "step"]
    assert title.get_text().replace("\n", "") == "x" * 500
    box = title.get_window_extent(renderer)
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_one_run_is_drawn_into_its_directory(tmp_path):
    run = make_run(tmp_path / "run")
    assert plot_runs([run]) == run / "curves.png"
    height, width, _ = imread(run / "curves.png").shape
    assert width > 1500 and height > 700
    assert sorted(each.name for each in run.iterdir()) == ["curves.png", "metrics.jsonl"]


def test_equal_runs_give_equal_bytes(tmp_path):
    run, pictures = make_run(tmp_path / "run"), [tmp_path / "a.png", tmp_path / "b.PNG"]
    assert len({plot_runs([run], picture).read_bytes() for picture in pictures}) == 1


def test_several_runs_need_an_output(tmp_path):
    runs = [make_run(tmp_path / name) for name in ("a", "b")]
    with pytest.raises(InputError, match=r"^--output is required for several runs$"):
        plot_runs(runs)
    assert plot_runs(runs, tmp_path / "both.png").is_file()


def test_the_seeds_of_a_run_are_drawn_over_each_other(tmp_path, monkeypatch):
    for name in ("seed-10", "seed-2"):
        make_run(tmp_path / "run" / name)
    (tmp_path / "run" / "seed-3").mkdir()  # not begun yet
    drawn = []
    monkeypatch.setattr(
        "retriever.reporting.curves.draw_curves", lambda runs: drawn.append(list(runs)) or draw_curves(runs)
    )
    assert plot_runs([tmp_path / "run"]) == tmp_path / "run" / "curves.png"
    other = make_run(tmp_path / "other")
    assert plot_runs([other, tmp_path / "run"], tmp_path / "both.png").is_file()
    assert drawn == [["seed-2", "seed-10"], ["other", "run/seed-2", "run/seed-10"]]


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    run = make_run(tmp_path / "run")
    old = plot_runs([run]).read_bytes()
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": null}\n')
    with pytest.raises(InputError, match=r"^no numbers to draw in the metrics of run$"):
        plot_runs([run])
    assert (run / "curves.png").read_bytes() == old


def test_another_format_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"curves\.pdf: the picture is a PNG: its name must end in \.png$"):
        plot_runs([make_run(tmp_path / "run")], tmp_path / "curves.pdf")


def test_runs_are_named_by_what_differs_in_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_names([Path("runs/dpr")]) == ["dpr"]
    assert run_names([Path()]) == [tmp_path.name]
    assert run_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert run_names([Path("a/seed-1"), Path("b/seed-1")]) == ["a/seed-1", "b/seed-1"]
    assert run_names([Path("a"), Path("a/b")]) == ["a", "a/b"]


def test_a_run_given_twice_is_an_input_error(tmp_path):
    run = make_run(tmp_path / "run")
    with pytest.raises(InputError, match="this run is given twice"):
        plot_runs([run, run / ".." / "run"], tmp_path / "both.png")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError) as caught:
        draw_curves({"run": RUN})
    assert str(caught.value) == "pictures need matplotlib: pip install 'contrastive-text-learning[plots]'"


def test_drawing_needs_neither_pyplot_nor_torch_nor_a_display(tmp_path):
    run = make_run(tmp_path / "run")
    code = (
        "import sys; from cli.main import main; code = main(['plot', sys.argv[1]]); "
        "sys.exit(code or str({'matplotlib.pyplot', 'torch', 'transformers', 'tkinter'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run)],
        cwd=Path(__file__).resolve().parents[2],
        env={"PATH": "", "HOME": str(tmp_path), "MPLBACKEND": "TkAgg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{run / 'curves.png'}\n"
    assert done.stderr == "set()\n"
