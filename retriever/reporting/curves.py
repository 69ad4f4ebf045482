"""Training curves of one or several runs as one picture: a panel a quantity, a colour a run."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from os.path import commonpath
from pathlib import Path
from typing import TYPE_CHECKING

from retriever.data.metrics import METRICS_FILE, read_metrics
from retriever.errors import InputError
from retriever.reporting.figure import NO_MATPLOTLIB, Dash, finish_axes, line_style, write_png
from retriever.reporting.series import TITLES, Curve, Metrics, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_FILE = "curves.png"

LOG_SCALE_FROM = 1000
"""Positive values whose largest is this many times the smallest are drawn on a logarithmic scale."""

MARKED_UP_TO = 20
"""Curves of so many points show each of them; longer ones only those that have no neighbour to be joined with."""

FROM_ZERO = {TITLES["examples_per_second"], TITLES["peak_memory_bytes"]}
"""Panels whose scale begins at 0, so that small changes look small."""

COLUMNS, PANEL_WIDTH, PANEL_HEIGHT, NAME_HEIGHT = 3, 4.2, 2.7, 0.24  # inches
LETTERS_PER_INCH = 10  # of a run's name


def plot_runs(runs: Sequence[Path], output: Path | None = None) -> Path:
    """Draw the training curves of runs into one PNG.

    Args:
        runs: run directories; several are drawn over each other, and so are the seeds of one.
        output: the file, written atomically; None: ``curves.png`` in the one directory.

    Returns:
        The file.

    Raises:
        InputError: a run without metrics, a run given twice, no output for several, a file that cannot be
            written, or matplotlib is missing.
    """
    if output is None and len(runs) > 1:
        raise InputError("--output is required for several runs")
    path = output or runs[0] / PICTURE_FILE
    if path.suffix.lower() != ".png":
        raise InputError("the picture is a PNG: its name must end in .png", path=path)
    single = [each for run in runs for each in seeds_of(run)]
    names = run_names(single)
    figure = draw_curves({name: read_metrics(run) for name, run in zip(names, single, strict=True)})
    write_png(figure, path)
    return path


def seeds_of(run: Path) -> list[Path]:
    """The runs with one seed each in the directory of ``--seeds``; any other directory is a run itself."""
    if (run / METRICS_FILE).exists():
        return [run]
    seeds = [each.parent for each in run.glob(f"seed-*/{METRICS_FILE}")]
    return sorted(seeds, key=lambda seed: (len(seed.name), seed.name)) or [run]  # seed-2 before seed-10


def run_names(runs: Sequence[Path]) -> list[str]:
    """What tells runs apart: their paths without the folders in which all of them lie.

    Raises:
        InputError: a run is given twice.
    """
    places = [run.resolve() for run in runs]
    for place, run in zip(places, runs, strict=True):
        if places.count(place) > 1:
            raise InputError("this run is given twice", path=run)
    above = commonpath([place.parent for place in places])
    return [str(place.relative_to(above)) for place in places]


def draw_curves(runs: Mapping[str, Metrics]) -> "Figure":
    """A figure with a panel for every quantity of which at least one run has a number.

    Args:
        runs: name → its metrics.

    Raises:
        InputError: no run has a number to draw, or matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot, which wants a display and keeps figures
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise InputError(NO_MATPLOTLIB) from None
    panels = panels_of(runs)
    if not panels:
        raise InputError(f"no numbers to draw in the metrics of {', '.join(runs)}")
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = (columns * PANEL_WIDTH, rows * PANEL_HEIGHT)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    styles = {name: line_style(place)[:2] for place, name in enumerate(runs)}
    steps = [step for curves in panels.values() for curve in curves.values() for step in curve.steps]
    margin = max(1.0, 0.03 * (max(steps) - min(steps)))
    for place, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, place + 1)
        for name, curve in curves.items():
            draw_curve(axes, curve, *styles[name])
        finish_panel(axes, title, list(curves.values()))
        axes.set_xlim(min(steps) - margin, max(steps) + margin)
    figure.supxlabel("step", fontsize=10)
    name_runs(figure, styles)
    return figure


def draw_curve(axes: "Axes", curve: Curve, colour: str, dash: Dash) -> None:
    """One run's line, broken where a value is no number, with a star on its best dev evaluation."""
    marked = [
        place for place in range(len(curve.steps)) if len(curve.steps) <= MARKED_UP_TO or alone(curve, place)
    ]
    axes.plot(
        curve.steps,
        curve.values,
        color=colour,
        linestyle=dash,
        linewidth=1.4,
        marker="o",
        markersize=3,
        markevery=marked,
    )
    if curve.best is not None:
        point = ([curve.steps[curve.best]], [curve.values[curve.best]])
        axes.plot(*point, marker="*", markersize=14, color=colour, markeredgecolor="white", zorder=3)


def alone(curve: Curve, place: int) -> bool:
    """Whether no line leads to a point, as its neighbours are no numbers."""
    neighbours = [*curve.values[max(0, place - 1) : place], *curve.values[place + 1 : place + 2]]
    return not any(map(math.isfinite, neighbours))


def finish_panel(axes: "Axes", title: str, curves: Sequence[Curve]) -> None:
    """Title, scale, ticks and grid; the title says where the best dev evaluation of a single run is."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    best = [(each.steps[each.best], each.values[each.best]) for each in curves if each.best is not None]
    if best:
        title += f" (★ best: {best[0][1]:.4g}, step {best[0][0]})" if len(curves) == 1 else " (★ best)"
    axes.set_title(title, fontsize=10, parse_math=False)
    values = [value for each in curves for value in each.values if math.isfinite(value)]
    if 0 < LOG_SCALE_FROM * min(values) <= max(values):
        axes.set_yscale("log")
    else:
        shown = ScalarFormatter(useOffset=False, useMathText=True)
        shown.set_powerlimits((-3, 5))
        axes.yaxis.set_major_formatter(shown)
        if title in FROM_ZERO:
            axes.set_ylim(0, 1.1 * max(values) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    axes.margins(y=0.1)
    finish_axes(axes)


def name_runs(figure: "Figure", styles: Mapping[str, tuple[str, Dash]]) -> None:
    """The name of a single run as the title, those of several as a legend; the figure grows by what they need."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    letters = int(width * LETTERS_PER_INCH)
    names = [textwrap.fill(name, letters) for name in styles]
    if len(names) == 1:
        figure.suptitle(names[0], fontsize=11, parse_math=False)
        columns = 1
    else:
        columns = max(1, letters // (max(map(len, names)) + 8))
        lines = [
            Line2D([], [], color=colour, linestyle=dash, linewidth=2) for colour, dash in styles.values()
        ]
        legend = figure.legend(
            lines, ["x"] * len(lines), loc="outside upper center", ncols=columns, frameon=False
        )
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_parse_math(False)
            text.set_text(name)  # set here, as a legend leaves out a label that begins with an underscore
    figure.set_size_inches(width, height + NAME_HEIGHT * (1 + math.ceil(len(names) / columns)))
