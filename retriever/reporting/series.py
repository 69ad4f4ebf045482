"""From the metrics of runs to the curves worth drawing: which quantities there are, and their values by step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Metrics = Sequence[Mapping[str, Any]]
"""One object a step, as ``retriever.data.metrics.read_metrics`` gives them."""

LOSS, DEV, BEST = "loss", "dev", "best"
TITLES = {
    LOSS: "loss",
    "auxiliary_loss": "loss of masked language modelling",
    "in_batch_accuracy": "in-batch accuracy",
    "alignment": "alignment of positive pairs",
    "uniformity": "uniformity",
    "mean_cosine": "mean cosine of random pairs",
    "embedding_std": "standard deviation of embeddings",
    "duplicate_positives": "share of duplicate positives",
    "gradient_norm": "gradient norm",
    "learning_rate": "learning rate",
    "examples_per_second": "examples per second",
    "tokens_per_second": "tokens per second",
    "peak_memory_bytes": "peak memory, GiB",
}
"""Key of a metric → title of its panel, in the order of the panels; the dev metric comes after the loss."""

UNITS = {"peak_memory_bytes": 2.0**30}
"""Key → what its values are divided by."""


@dataclass(frozen=True)
class Curve:
    """One quantity of one run.

    Attributes:
        steps: where it was logged, rising.
        values: as many; NaN where it was no number.
        best: the place of the best dev evaluation in them; None: no dev metric, or none was best.
    """

    steps: list[int]
    values: list[float]
    best: int | None = None


def panels_of(runs: Mapping[str, Metrics]) -> dict[str, dict[str, Curve]]:
    """Title of a panel → name of a run → its curve; only quantities and runs that have a number.

    Runs that are judged by different dev metrics get a panel for each of these.
    """
    judges = dict.fromkeys(each for metrics in runs.values() if (each := dev_metric(metrics)))
    found = {TITLES[LOSS]: {name: curve(metrics, LOSS) for name, metrics in runs.items()}}
    for judge in judges:
        found[f"dev {judge}"] = {name: dev_curve(metrics, judge) for name, metrics in runs.items()}
    for key, title in TITLES.items():
        if key != LOSS:
            found[title] = {name: curve(metrics, key) for name, metrics in runs.items()}
    drawn = {
        title: {name: each for name, each in curves.items() if any(map(math.isfinite, each.values))}
        for title, curves in found.items()
    }
    return {title: curves for title, curves in drawn.items() if curves}


def curve(metrics: Metrics, key: str) -> Curve:
    """The values of one key; steps at which it was not logged are left out."""
    logged = [line for line in metrics if key in line]
    unit = UNITS.get(key, 1.0)
    return Curve([line["step"] for line in logged], [number(line[key]) / unit for line in logged])


def dev_metric(metrics: Metrics) -> str | None:
    """The dev metric that decides which model is kept: the first of an evaluation. None: there was none."""
    return next((name for line in metrics for name in evaluation(line)), None)


def dev_curve(metrics: Metrics, metric: str) -> Curve:
    """The values of one dev metric, and which of them was the best: the last that was called so."""
    judged = [line for line in metrics if metric in evaluation(line)]
    best = [place for place, line in enumerate(judged) if line.get(BEST) is True]
    return Curve(
        [line["step"] for line in judged],
        [number(line[DEV][metric]) for line in judged],
        best[-1] if best else None,
    )


def evaluation(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """The dev metrics of a step; empty where there was no evaluation."""
    found = line.get(DEV)
    return found if isinstance(found, Mapping) else {}


def number(value: object) -> float:
    """A finite number; NaN for null and for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return math.nan
    return float(value)
