"""Recall against speed as a picture: a line a recipe, a star where nothing else is better."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retriever.data.lines import read_json_objects
from retriever.errors import InputError
from retriever.reporting.figure import (
    finish_axes,
    line_style,
    literal,
    new_figure,
    require_picture,
    write_png,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from retriever.index.tune import Trade


def plot_trades(trades: Sequence["Trade"], output: Path) -> None:
    """Draw what ``tune_index`` measured into a PNG.

    Raises:
        InputError: another kind of file, one that cannot be written, or matplotlib is missing.
    """
    require_picture(output)
    write_png(draw_trades(trades), output)


def draw_trades(trades: Sequence["Trade"]) -> "Figure":
    """What ``tune_index`` measured: recall to the right, speed upwards.

    Raises:
        InputError: matplotlib is missing.
    """
    figure = new_figure(6.4, 4.4)
    axes = figure.add_subplot()
    for number, recipe in enumerate(dict.fromkeys(each.recipe for each in trades)):
        own = [each for each in trades if each.recipe == recipe]
        colour, dash, _ = line_style(number)
        recalls, speeds = [each.recall for each in own], [each.queries_per_second for each in own]
        label = literal(f"{recipe} ({own[0].bytes_per_vector:.0f} bytes a vector)")
        axes.plot(recalls, speeds, color=colour, linestyle=dash, marker="o", markersize=4, label=label)
        best = [each for each in own if each.best]
        stars = [each.recall for each in best], [each.queries_per_second for each in best]
        axes.plot(*stars, color=colour, marker="*", markersize=13, linestyle="none", markeredgecolor="white")
    axes.set_yscale("log")
    axes.set_xlabel("recall@10 against exact search")
    axes.set_ylabel("queries per second, all at once")
    finish_axes(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure


NUMBERS = ("recall", "queries_per_second", "p50_ms", "p95_ms", "bytes_per_vector")


def read_trades(file: Path) -> list["Trade"]:
    """What ``ctl index tune --json`` printed, one object a line.

    Raises:
        InputError: the file is missing, or a line is something else.
    """
    from retriever.index.tune import Trade

    names = {each.name for each in fields(Trade)}
    found = []
    for line, values in read_json_objects(file):
        if set(values) != names or not all(_is_measured(values[name]) for name in NUMBERS):
            raise InputError(
                "not what ctl index tune --json prints: a report is made of folders of results, run directories and that",
                path=file,
                line=line,
            )
        found.append(Trade(**values))
    return found


def _is_measured(value: Any) -> bool:  # noqa: ANN401  (any JSON value)
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
