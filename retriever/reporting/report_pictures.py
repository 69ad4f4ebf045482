"""Which pictures a report has: what each shows, in words and as a figure."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from retriever.data.metrics import read_metrics
from retriever.evaluation.bootstrap import RESAMPLES
from retriever.reporting.bands import draw_bands
from retriever.reporting.curves import draw_curves
from retriever.reporting.plane import draw_plane
from retriever.reporting.report import Drawn, Report, Task, columns_of
from retriever.reporting.scores import score_of
from retriever.reporting.top_k import draw_top_k
from retriever.reporting.trade_off import draw_trades

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that is still to be drawn.

    Attributes:
        name: of a file, without its ending.
        title: short.
        caption: what is drawn, of how many, and what the bands and boxes are.
        alt: what it shows, for those who do not see it.
        draw: makes the figure.
    """

    name: str
    title: str
    caption: str
    alt: str
    draw: "Callable[[], Figure]"


def pictures_of(report: Report) -> Iterator[Picture]:
    """All pictures for which the report has data, task by task."""
    for task in report.tasks:
        yield from _plane(report, task)
        if drawn := report.drawn.get(task):
            yield from _bands(report, task, drawn)
            yield from _top_k(report, task, drawn)
    for number, (file, trades) in enumerate(report.trades.items(), start=1):
        recipes = ", ".join(dict.fromkeys(each.recipe for each in trades))
        yield Picture(
            name=f"recall-speed-{number}",
            title=f"Recall against speed, {file}",
            caption="A line a recipe, a point a setting of its search; a star where no other is better in recall, speed and memory.",
            alt=f"Lines of queries per second against recall@10, of {recipes}; the numbers are in the table below.",
            draw=partial(draw_trades, trades),
        )
    if report.runs:
        metrics = {name: read_metrics(run) for name, run in report.runs.items()}
        yield Picture(
            name="training-curves",
            title="Training curves",
            caption="A panel a quantity, a line a run, by step; a star on the best dev evaluation.",
            alt=f"Curves over the training steps of {', '.join(report.runs)}.",
            draw=partial(draw_curves, metrics),
        )


def _plane(report: Report, task: Task) -> Iterator[Picture]:
    points: dict[str, tuple[float, float]] = {}
    for system in report.systems:
        found = [score_of(system, task, each) for each in ("uniformity", "alignment")]
        uniformity, alignment = (None if each is None else each.value for each in found)
        if uniformity is not None and alignment is not None:
            points[system.name] = uniformity, alignment
    if points:
        told = "; ".join(f"{name} {x:.3f} and {y:.3f}" for name, (x, y) in points.items())
        yield Picture(
            name="-".join(("plane", *task)),
            title=f"Alignment and uniformity, {'/'.join(task)}",
            caption="A point a model (the mean of its seeds); of both, lower is better, so the best lies at the bottom left. "
            "Intervals are in the table of scores.",
            alt=f"Points of uniformity and alignment: {told}.",
            draw=partial(draw_plane, points, names_of(report)),
        )


def _bands(report: Report, task: Task, drawn: Drawn) -> Iterator[Picture]:
    bands = drawn.bands
    if not bands:
        return
    policies = columns_of(report.systems, "policy", *task).values()
    similarity = " or ".join(dict.fromkeys(str(each.get("similarity", "similarity")) for each in policies))
    medians = {
        name: ", ".join(f"{np.median(each.predicted):.2f}" for each in own if len(each.predicted))
        for name, own in bands.items()
    }
    told = "; ".join(f"{name} {each}" for name, each in medians.items())
    yield Picture(
        name="-".join(("bands", *task)),
        title=f"Similarity by gold score, {'/'.join(task)}",
        caption=f"{_count(drawn, bands)} pairs by people’s score; line: median, box: the middle half, whiskers: 5 to 95 % of a band’s pairs.",
        alt=f"Boxes of {similarity} by band of the gold score. Medians, from the lowest band to the highest: {told}.",
        draw=partial(draw_bands, bands, similarity, names_of(report)),
    )


def _top_k(report: Report, task: Task, drawn: Drawn) -> Iterator[Picture]:
    families = {
        family: {name: each[family] for name, each in drawn.curves.items() if family in each}
        for family in dict.fromkeys(family for each in drawn.curves.values() for family in each)
    }
    if not families:
        return
    told = "; ".join(
        f"{family} of {name} from {each.means[0]:.3f} at {each.cutoffs[0]} to {each.means[-1]:.3f} at {each.cutoffs[-1]}"
        for family, own in families.items()
        for name, each in own.items()
    )
    yield Picture(
        name="-".join(("top-k", *task)),
        title=f"Metrics by depth, {'/'.join(task)}",
        caption=f"Means over {_count(drawn, drawn.curves)} queries; bands: 95 % percentile bootstrap over queries ({RESAMPLES:,} resamples), "
        "at each cut-off by itself.",
        alt=f"Curves over k: {told}.",
        draw=partial(draw_top_k, families, names_of(report)),
    )


def names_of(report: Report) -> list[str]:
    """All systems, which have one colour in all pictures."""
    return [each.name for each in report.systems]


def _count(drawn: Drawn, names: Collection[str]) -> str:
    """How many items, or how many each of these systems has."""
    counts = {name: drawn.counts[name] for name in names}
    if len(set(counts.values())) == 1:
        return f"{next(iter(counts.values())):,}"
    return " / ".join(f"{count:,} ({name})" for name, count in counts.items())
