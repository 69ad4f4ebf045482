"""Recall against speed as a picture: a line a recipe, a star where nothing else is better."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retriever.data.files import atomic_file, require_writable
from retriever.errors import InputError
from retriever.reporting.curves import COLOURS

if TYPE_CHECKING:
    from retriever.index.tune import Trade


def plot_trades(trades: Sequence["Trade"], output: Path) -> None:
    """Draw what ``tune_index`` measured into a PNG.

    Raises:
        InputError: another kind of file, one that cannot be written, or matplotlib is missing.
    """
    require_picture(output)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for number, recipe in enumerate(dict.fromkeys(each.recipe for each in trades)):
        own = [each for each in trades if each.recipe == recipe]
        colour = COLOURS[number % len(COLOURS)]
        recalls, speeds = [each.recall for each in own], [each.queries_per_second for each in own]
        label = f"{recipe} ({own[0].bytes_per_vector:.0f} bytes a vector)"
        axes.plot(recalls, speeds, color=colour, marker="o", markersize=4, label=label)
        best = [each for each in own if each.best]
        stars = [each.recall for each in best], [each.queries_per_second for each in best]
        axes.plot(*stars, color=colour, marker="*", markersize=13, linestyle="none", markeredgecolor="white")
    axes.set_yscale("log")
    axes.set_xlabel("recall@10 against exact search")
    axes.set_ylabel("queries per second, all at once")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    with atomic_file(output, "wb") as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})


def require_picture(output: Path) -> None:
    """Check, before long work, that a picture can be drawn there.

    Raises:
        InputError: it cannot.
    """
    if output.suffix.lower() != ".png":
        raise InputError("the picture is a PNG: its name must end in .png", path=output)
    require_writable(output)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("pictures need matplotlib: pip install 'contrastive-text-learning[plots]'") from None
