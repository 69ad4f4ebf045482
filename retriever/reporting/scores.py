"""The tables of a report that hold results: metrics with their intervals side by side, comparisons, and the items that moved most."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from retriever.evaluation.compare import Comparison
from retriever.evaluation.correlation_difference import CORRELATIONS
from retriever.evaluation.direction import with_direction
from retriever.evaluation.systems import System
from retriever.reporting.page import UNDEFINED, Cell, Html, Number, shown, table, text
from retriever.reporting.report import LEVEL, Report, Task

STAR = "★"
ENDS = ("_low", "_high")
COMPARED = ("metric", "first", "second", "items", "first’s", "second’s", "difference", "p", "p (Holm)")


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of a system.

    Attributes:
        value: the mean over its seeds; None: undefined.
        deviation: standard deviation over its seeds; None: it has one.
        interval: 95 %, of the one seed, if there is one.
    """

    value: float | int | None
    deviation: float | None = None
    interval: tuple[float, float] | None = None


def score_of(system: System, task: Task, metric: str) -> Score | None:
    """A metric's value, as the results have it; None: they do not."""
    suite, name = task
    seeds = [each.get(suite, {}).get(name, {}) for each in system.results]
    if any(metric not in each for each in seeds):
        return None
    values = [each[metric] for each in seeds]
    if any(value is None for value in values):
        return Score(None)
    if len(values) > 1:
        return Score(mean(values), stdev(values))
    low, high = (seeds[0].get(metric + end) for end in ENDS)
    return Score(values[0], interval=None if low is None or high is None else (low, high))


def metrics_of(report: Report, task: Task) -> list[str]:
    """All metrics of a task, in the order in which they first occur; the ends of intervals stand beside theirs."""
    suite, name = task
    found: dict[str, None] = {}
    for system in report.systems:
        for results in system.results:
            values = results.get(suite, {}).get(name, {})
            ends = {metric + end for metric in values for end in ENDS}
            found |= {
                metric: None for metric, value in values.items() if metric not in ends and _is_scalar(value)
            }
    return list(found)


def _is_scalar(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def headline_of(report: Report, task: Task) -> str | None:
    """The metric that stands for a task: the one that its policy calls so, else the first that has an interval, else the first."""
    suite, name = task
    metrics = metrics_of(report, task)
    stored = [each for system in report.systems for each in system.results if name in each.get(suite, {})]
    named = [each["policy"][suite][name].get("headline") for each in stored]
    bounded = [metric for metric in metrics for each in stored if f"{metric}_low" in each[suite][name]]
    return next((each for each in [*named, *bounded, *metrics] if each in metrics), None)


def score_cells(report: Report, systems: Sequence[System], task: Task, metric: str) -> list[Cell]:
    """A row of a metric: each system's score, the best marked where it is really the best."""
    scores = {each.name: score_of(each, task, metric) for each in systems}
    best = report.best_of(task, metric, [name for name, score in scores.items() if score is not None])
    return [score_cell(score, best=name == best) for name, score in scores.items()]


def score_cell(score: Score | None, *, best: bool = False) -> Cell:
    """A score with its interval, or its deviation."""
    if score is None or score.value is None:
        return None if score is None else UNDEFINED
    value = shown(score.value)
    found = f'<strong class="best">{STAR} {value}</strong>' if best else value
    if score.deviation is not None:
        found += f" <span class='quiet'>± {shown(score.deviation)}</span>"
    if score.interval is not None:
        found += f" <span class='quiet'>[{', '.join(map(shown, score.interval))}]</span>"
    return Number(found)


def headings(systems: Sequence[System]) -> list[str]:
    """The systems, with the number of seeds where there are several."""
    return [
        each.name if len(each.folders) == 1 else f"{each.name} (mean of {len(each.folders)} seeds)"
        for each in systems
    ]


def summary(report: Report) -> Iterator[str]:
    """One row a task: the metric that stands for it."""
    rows = []
    for task in report.tasks:
        metric = headline_of(report, task)
        if metric is not None:
            rows.append(
                ["/".join(task), with_direction(metric), *score_cells(report, report.systems, task, metric)]
            )
    yield from table("The headline metric of each task", ["task", "metric", *headings(report.systems)], rows)


def scores(report: Report) -> Iterator[str]:
    """A table a task, with all metrics."""
    shown_suite = None
    for task in report.tasks:
        if task[0] != shown_suite:
            shown_suite = task[0]
            yield f"<h3>{text(shown_suite)}</h3>\n"
        systems = report.having(task)
        rows = [
            [with_direction(metric), *score_cells(report, systems, task, metric)]
            for metric in metrics_of(report, task)
        ]
        yield from table("/".join(task), ["metric", *headings(systems)], rows)


def comparisons(report: Report) -> Iterator[str]:
    """A table a task: each two systems and metric, the difference with its interval, and p-values."""
    for suite, task in dict.fromkeys((each.suite, each.task) for each in report.comparisons):
        rows = [
            [
                with_direction(each.metric),
                each.first,
                each.second,
                each.items,
                score_cell(Score(each.first_value, each.first_deviation)),
                score_cell(Score(each.second_value, each.second_deviation)),
                difference_cell(each),
                p_cell(each.difference.p_value),
                p_cell(each.corrected),
            ]
            for each in report.comparisons
            if (each.suite, each.task) == (suite, task)
        ]
        yield from table(f"{suite}/{task}: first − second", COMPARED, rows)


def difference_cell(each: Comparison) -> Number:
    """The difference, strong where it is real, with its interval."""
    found = each.difference
    value = signed(found.mean)
    if each.corrected < LEVEL:
        value = f'<strong class="best">{value}</strong>'
    return Number(f"{value} <span class='quiet'>[{signed(found.low)}, {signed(found.high)}]</span>")


def signed(value: float) -> str:
    """A number with its sign."""
    return ("+" if value > 0 else "") + shown(value)


def p_cell(value: float) -> Number:
    """A p-value, which is never 0."""
    return Number(UNDEFINED if math.isnan(value) else "&lt; .0001" if value < 1e-4 else f"{value:.4f}")


def moved(report: Report) -> Iterator[str]:
    """For each comparison the items on which it lies, the headline metrics unfolded."""
    for each in report.comparisons:
        if not each.moved:
            continue
        opened = " open" if each.metric == headline_of(report, (each.suite, each.task)) else ""
        title = f"{each.suite}/{each.task}, {with_direction(each.metric)}: {each.first} against {each.second}"
        yield f"<details{opened}><summary>{text(title)}</summary>\n"
        caption = (
            f"equal on {each.equal:,} of {each.items:,} items; these moved most"
            if each.better is None
            else f"{each.first} is better on {each.better:,}, equal on {each.equal:,} and worse on {each.worse:,} of "
            f"{each.items:,} items; these moved most"
        )
        if each.metric in CORRELATIONS:
            caption += "; change: by how much nearer the first is to people’s rank, in per cent of the ranks"
        rows = [[one.id, one.text, one.first, one.second, Number(signed(one.change))] for one in each.moved]
        yield from table(caption, ["id", "text", each.first, each.second, "change"], rows)
        yield "</details>\n"


def method_text(report: Report) -> str:
    """How it was compared, in words."""
    method, count = report.method, len(report.comparisons)
    return (
        f"Two-sided paired randomisation tests ({method.resamples:,} swaps, seed {method.seed}) and 95 % percentile bootstrap intervals "
        f"({method.resamples:,} resamples) over the items that both systems have, and over a system's seeds; p-values are corrected by "
        f"Holm for all {count:,} tests of this page."
    )


def paragraphs(lines: Sequence[str]) -> Html:
    """A list of plain sentences."""
    return Html("<ul class='warnings'>" + "".join(f"<li>{text(each)}</li>" for each in lines) + "</ul>\n")
