"""Metrics at several cut-offs, such as top-k accuracy, as curves with their intervals as bands."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.items import Items
from retriever.reporting.figure import finish_axes, line_style, literal, new_panels, places_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

AT_K = re.compile(r"(.+)@(\d+)")
TITLES = {"accuracy": "top-k accuracy", "answer_accuracy": "top-k accuracy by answer string"}


@dataclass(frozen=True, slots=True)
class TopK:
    """One metric of one system at rising cut-offs, with the ends of its 95 % intervals."""

    cutoffs: tuple[int, ...]
    means: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def top_k_curves(items: Items) -> dict[str, TopK]:
    """Metric without its cut-off → its values at all of them, rising; of those metrics that have two or more."""
    found: dict[str, dict[int, str]] = {}
    for name in items.values:
        if match := AT_K.fullmatch(name):
            found.setdefault(match[1], {})[int(match[2])] = name
    return {family: _curve(items, cutoffs) for family, cutoffs in found.items() if len(cutoffs) > 1}


def _curve(items: Items, cutoffs: Mapping[int, str]) -> TopK:
    rising = sorted(cutoffs)
    values = np.stack([items.values[cutoffs[each]] for each in rising], axis=1)  # (Q, cut-offs)
    low, high = mean_intervals(values)
    return TopK(tuple(rising), values.mean(axis=0), low, high)


def draw_top_k(families: Mapping[str, Mapping[str, TopK]], systems: Sequence[str] = ()) -> "Figure":
    """A panel a metric, a line a system.

    Args:
        families: metric without its cut-off → system → curve.
        systems: of all pictures of a page, which decide the colours.

    Raises:
        InputError: matplotlib is missing.
    """
    figure, panels, columns = new_panels(len(families), width=3.9, least_width=6.4, height=3.3, margin=0.6)
    lines: dict[str, Line2D] = {}
    names = list(dict.fromkeys(name for curves in families.values() for name in curves))
    places = places_of(names, systems)
    for axes, (family, curves) in zip(panels, families.items(), strict=True):
        for name, each in curves.items():
            colour, dash, marker = line_style(places[name])
            axes.fill_between(each.cutoffs, each.low, each.high, color=colour, alpha=0.18, linewidth=0)
            (lines[name],) = axes.plot(
                each.cutoffs, each.means, color=colour, linestyle=dash, marker=marker, markersize=4
            )
        ticks = sorted({cutoff for each in curves.values() for cutoff in each.cutoffs})
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xticks(ticks, [str(each) for each in ticks])
        axes.set_title(literal(TITLES.get(family, f"{family}@k")), fontsize=10)
        axes.set_xlabel("k (logarithmic)")
        finish_axes(axes)
    legend = figure.legend(
        [lines[name] for name in names],
        ["x"] * len(names),
        loc="outside upper center",
        ncols=min(columns + 1, len(names)),
        frameon=False,
        fontsize=9,
    )
    for shown, name in zip(legend.get_texts(), names, strict=True):
        shown.set_text(
            literal(name)
        )  # set here, as a legend leaves out a label that begins with an underscore
    return figure
