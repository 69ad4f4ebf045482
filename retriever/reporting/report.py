"""What a report is made of: systems with their results, their comparisons, training runs, and what a reader has to be warned of."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retriever.data.files import read_json
from retriever.data.metrics import METRICS_FILE
from retriever.errors import InputError
from retriever.evaluation.compare import Comparison, Method, compare_task, corrected
from retriever.evaluation.correlation_difference import CORRELATIONS
from retriever.evaluation.items import GOLD, PREDICTED, Items
from retriever.evaluation.results import RESULTS_FILE, tasks_of
from retriever.evaluation.systems import System, differing_keys, read_seeds
from retriever.protocols import Progress, no_progress
from retriever.reporting.bands import Band, bands_of
from retriever.reporting.curves import run_names, seeds_of
from retriever.reporting.top_k import TopK, top_k_curves
from retriever.reporting.trade_off import read_trades

if TYPE_CHECKING:
    from retriever.index.tune import Trade

logger = logging.getLogger(__name__)

LEVEL = 0.05
"""A difference is called real where its corrected p-value is below this."""

Task = tuple[str, str]
"""Suite and task."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the pictures of a task show of its items, the values being means over a system's seeds; the items themselves may be large.

    Attributes:
        counts: system → its items.
        bands: system → its pairs by gold score, where they have one.
        curves: system → metric without its cut-off → its values at all of them.
    """

    counts: Mapping[str, int]
    bands: Mapping[str, Sequence[Band]]
    curves: Mapping[str, Mapping[str, TopK]]

    @classmethod
    def of(cls, items: Mapping[str, Items]) -> "Drawn":
        """Of system → items."""
        return cls(
            {name: len(each.ids) for name, each in items.items()},
            {
                name: bands_of(each.values[PREDICTED], each.values[GOLD])
                for name, each in items.items()
                if each.correlated
            },
            {name: top_k_curves(each) for name, each in items.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows.

    Attributes:
        systems: with results; their names differ.
        runs: name → directory of one training run.
        trades: file → what ``ctl index tune`` measured.
        method: of the comparisons.
        comparisons: of each two systems, task and metric; corrected for the number of all of them.
        drawn: of each task with items, what its pictures show of them.
        warnings: what makes columns not comparable.
    """

    systems: Sequence[System] = ()
    runs: Mapping[str, Path] = field(default_factory=dict)
    trades: "Mapping[str, Sequence[Trade]]" = field(default_factory=dict)
    method: Method = field(default_factory=Method)
    comparisons: Sequence[Comparison] = ()
    drawn: Mapping[Task, "Drawn"] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    @property
    def tasks(self) -> list[Task]:
        """All tasks of all systems, by suite, each in the order in which it first occurs."""
        found = dict.fromkeys(
            each for system in self.systems for results in system.results for each in tasks_of(results)
        )
        suites = list(dict.fromkeys(suite for suite, _ in found))
        return sorted(found, key=lambda each: suites.index(each[0]))

    def having(self, task: Task) -> list[System]:
        """The systems of which every seed has a task."""
        suite, name = task
        return [each for each in self.systems if all(name in seed.get(suite, {}) for seed in each.results)]

    def best_of(self, task: Task, metric: str, names: Sequence[str]) -> str | None:
        """The system that is better than each of the others, every one of these differences being real; None: there is no such.

        Nor is there where a system has items that were not compared: the values that stand side by side are of all of them.
        """
        own = [each for each in self.comparisons if (each.suite, each.task, each.metric) == (*task, metric)]
        if any(each.items != count for each in own for count in self._item_counts(task)):
            return None
        won = {
            (each.winner, loser)
            for each in own
            if each.corrected < LEVEL
            for loser in (each.first, each.second)
            if each.winner not in (None, loser)
        }
        return next(
            (name for name in names if len(names) > 1 and all((name, other) in won for other in names if other != name)),
            None,
        )  # fmt: skip

    def _item_counts(self, task: Task) -> set[int | None]:
        """How many items each seed of each system has of a task."""
        suite, name = task
        return {
            seed["items"][suite][name].get("count") for system in self.having(task) for seed in system.results
        }


def read_report(
    arguments: Sequence[tuple[str, Sequence[Path]]], method: Method, *, progress: Progress = no_progress
) -> Report:
    """Read whatever each argument is, and compare the systems.

    Args:
        arguments: name and folders (or a file) of each.
        method: of the comparisons.
        progress: advanced by each task.

    Raises:
        InputError: one is neither a folder of results nor a run directory nor what ``ctl index tune --json`` printed; a name or a run
            twice; damaged results; or a metric of ``method`` that no items have.
    """
    systems: list[System] = []
    runs: list[Path] = []
    trades: dict[str, list[Trade]] = {}
    for name, paths in arguments:
        of_index = any(each.is_file() for each in paths)
        if of_index:
            trades |= {str(each): read_trades(each) for each in paths}
        elif any([_holds_results(each) for each in paths]):
            systems.append(System.read(name, paths))
        elif Path(name) != paths[0]:
            raise InputError(f"'{name}' names a training run, but only results have names", path=paths[0])
        if not of_index:
            runs += [seed for each in paths for seed in seeds_of(each) if (seed / METRICS_FILE).exists()]
    names = [each.name for each in systems]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two systems are called '{name}': name them, as in NAME=FOLDER")
    report = Report(
        systems=systems,
        runs=dict(zip(run_names(runs), runs, strict=True)) if runs else {},
        trades=trades,
        method=method,
    )
    return _compared(report, progress)


def _holds_results(folder: Path) -> bool:
    """Whether it is a folder of results; False: a training run without dev data, or of an older version."""
    if not folder.is_dir():
        raise InputError("no such file or folder", path=folder)
    is_run = any((each / METRICS_FILE).exists() for each in seeds_of(folder))
    if not (folder / RESULTS_FILE).exists():
        if is_run:
            return False
        raise InputError(
            "neither results (ctl eval … --output writes them) nor a training run with metrics", path=folder
        )
    found = read_json(folder / RESULTS_FILE) if is_run else None
    if not is_run:
        return True
    if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
        return False
    return any(True for _ in tasks_of(found))  # a run without dev data has none


def _compared(report: Report, progress: Progress) -> Report:
    """With the items of all tasks, the comparisons that can be made, and a warning for each that cannot."""
    made: list[Comparison] = []
    drawn: dict[Task, Drawn] = {}
    warnings: list[str] = []
    known: set[str] = set()
    with progress(len(report.tasks), "compare") as advance:
        for suite, task in report.tasks:
            having = report.having((suite, task))
            warnings += _missing(report, (suite, task)) + differences(having, suite, task)
            seeds = {each.name: read_seeds(each, suite, task) for each in having}  # damaged ones are an error
            items = {name: mean for name, each in seeds.items() if (mean := over_seeds(each)) is not None}
            if items:
                drawn[suite, task] = Drawn.of(items)
            for mean in items.values():
                known.update(CORRELATIONS if mean.correlated else mean.values)
            if len(having) > 1:
                try:
                    made += compare_task(having, list(seeds.values()), suite, task, report.method)
                    warnings += _left_out(list(seeds.values()), suite, task)
                except InputError as error:
                    warnings.append(f"not compared: {error.message}")
            advance(1)
    if unknown := [each for each in report.method.metrics if each not in known]:
        raise InputError(f"no task has items with metric {', '.join(unknown)}")
    for each in warnings:
        logger.warning("%s", each)
    return replace(report, comparisons=corrected(made) if made else (), drawn=drawn, warnings=warnings)


def _missing(report: Report, task: Task) -> list[str]:
    """In words, who lacks a task that others have; what one system alone has (the dev data of another recipe) is for no comparison."""
    suite, name = task
    holders = [each for each in report.systems if any(name in seed.get(suite, {}) for seed in each.results)]
    having = report.having(task)
    missing = [each.name for each in report.systems if each not in having]
    return [f"{suite}/{name}: no results of {', '.join(missing)}"] if missing and len(holders) > 1 else []


def _left_out(seeds: Sequence[Sequence[Items | None]], suite: str, task: str) -> list[str]:
    """In words, how many items were not compared (``--common``)."""
    known = [set(each.ids) for own in seeds for each in own if each is not None]
    if sum(map(len, seeds)) > len(known):
        return []  # no items, and so no comparison
    shared = len(set.intersection(*known))
    count = len(set.union(*known)) - shared
    return [
        f"{suite}/{task}: {count:,} items are not in all systems and were left out of the comparison, which is of {shared:,}; the scores "
        "are of all items of each system, so that no best one is marked"
    ] if count else []  # fmt: skip


def over_seeds(seeds: Sequence[Items | None]) -> Items | None:
    """Items whose values are the mean over a system's seeds, of those items and metrics that all seeds have; None: there are none."""
    there = [each for each in seeds if each is not None]
    if not there or len(there) < len(seeds):
        return None
    shared = set.intersection(*(set(each.ids) for each in there))
    order = [each for each in there[0].ids if each in shared]
    matched = [each.matched(order) for each in there] if len(there) > 1 else there
    names = [name for name in matched[0].values if all(name in each.values for each in matched)]
    values = {name: np.mean([each.values[name] for each in matched], axis=0) for name in names}
    return Items(tuple(order), values) if order else None


def differences(systems: Sequence[System], suite: str, task: str) -> list[str]:
    """In words, what of the policies, the data and the versions of a task is not the same everywhere."""
    found = []
    for kind in ("policy", "data", "versions"):
        keys = differing_keys(list(columns_of(systems, kind, suite, task).values()))
        if kind == "data":
            keys = [key for key in keys if key.endswith("sha256") and key != "index_sha256"]
        if keys:
            found.append(f"{suite}/{task}: not the same {kind} everywhere ({', '.join(keys)})")
    return found


def columns_of(systems: Sequence[System], kind: str, suite: str, task: str) -> dict[str, Mapping[str, Any]]:
    """System, or one of its seeds → what its results say of a task's policy, data or versions."""
    return {
        column_name(system, folder): results[kind][suite][task]
        for system in systems
        for folder, results in system.seeds
        if task in results.get(suite, {})
    }


def column_name(system: System, folder: Path) -> str:
    """What a column of one seed is called."""
    return system.name if len(system.folders) == 1 else f"{system.name}: {folder}"
