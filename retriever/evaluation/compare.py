"""Two or more systems by their stored results: which differences are real, and on which items they lie."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retriever.errors import InputError
from retriever.evaluation.comparison import PairedDifference, holm, paired_differences
from retriever.evaluation.correlation_difference import CORRELATION, CORRELATIONS, correlation_difference
from retriever.evaluation.direction import larger_is_better
from retriever.evaluation.items import GOLD, PREDICTED, Items, read_texts
from retriever.evaluation.systems import (
    System,
    common_tasks,
    match_items,
    read_seeds,
    require_same_data,
    warn_of_policies,
)
from retriever.protocols import Progress, no_progress

Values = NDArray[np.float64]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """An item on which two systems differ; ``change``: first - second; of correlations, how much nearer the first is to people's rank."""

    id: str
    text: str
    first: float
    second: float
    change: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one task, of two systems.

    Attributes:
        items: queries or pairs that both have.
        first_value: the first system's mean (or correlation), over its seeds.
        first_deviation: standard deviation over its seeds; None: it has one.
        difference: first - second, with its interval and p-value.
        corrected: the p-value by Holm, over all comparisons that were made.
        larger_is_better: of the metric; None: neither way is known to be better.
        better, equal, worse: items on which the first is better than the second …; of correlations, nearer to people's rank; None:
            nobody knows which way is better.
        moved: the items that moved most.
    """

    suite: str
    task: str
    metric: str
    first: str
    second: str
    items: int
    first_value: float
    second_value: float
    first_deviation: float | None
    second_deviation: float | None
    difference: PairedDifference
    larger_is_better: bool | None
    better: int | None
    equal: int
    worse: int | None
    corrected: float = float("nan")
    moved: tuple[Moved, ...] = ()

    @property
    def winner(self) -> str | None:
        """The system with the better value; None: they are equal, or nobody knows which way is better."""
        if self.larger_is_better is None or not self.difference.mean:
            return None
        return self.first if (self.difference.mean > 0) == self.larger_is_better else self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How systems are compared.

    Attributes:
        metrics: which; (): all that the items have.
        common: compare what all systems have, though some have more.
        items: how many of those that moved most are shown.
        resamples: bootstrap resamples, and swaps, each.
        seed: of both.
    """

    metrics: tuple[str, ...] = ()
    common: bool = False
    items: int = 0
    resamples: int = 10_000
    seed: int = 0


def compare_systems(
    systems: Sequence[System], method: Method, *, progress: Progress = no_progress
) -> list[Comparison]:
    """Compare each two systems by every task and metric that all have.

    Raises:
        InputError: no task or metric in common; other data, policies or items, which ``method.common`` allows; other gold scores; or
            correlations that are undefined.
    """
    tasks = common_tasks(systems)
    made: list[Comparison] = []
    with progress(len(tasks), "compare") as advance:
        for suite, task in tasks:
            seeds = [read_seeds(each, suite, task) for each in systems]
            warn_of_policies(systems, suite, task)
            made += compare_task(systems, seeds, suite, task, method)
            advance(1)
    if missing := [each for each in method.metrics if all(each != one.metric for one in made)]:
        raise InputError(f"no task that the systems have in common has metric {', '.join(missing)}")
    if not made:
        raise InputError("the systems have no task with items in common")
    return corrected(made)


def corrected(made: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons, their p-values corrected for their number."""
    p_values = holm([each.difference.p_value for each in made])
    return [replace(each, corrected=float(p)) for each, p in zip(made, p_values, strict=True)]


def compare_task(
    systems: Sequence[System], found: Sequence[Sequence[Items | None]], suite: str, task: str, method: Method
) -> Iterator[Comparison]:
    """Compare each two systems by the metrics of one task that all have; the p-values are still to be corrected.

    Args:
        systems: S of them.
        found: of each the items of its seeds, as ``read_seeds`` gives them.
        suite: the suite.
        task: one of its tasks.
        method: how.

    Raises:
        InputError: as ``compare_systems``, but for what is not in common, which gives nothing.
    """
    where = f"{suite}/{task}"
    if any(items is None for each in found for items in each):
        logger.info("%s has no items: not compared", where)
        return
    seeds = [[items for items in each if items is not None] for each in found]
    require_same_data(systems, suite, task, common=method.common)
    matched = match_items(systems, seeds, where, common=method.common)
    for (one, first), (other, second) in combinations(zip(systems, matched, strict=True), 2):
        pair = _Pair(one, other, first, second, suite, task, method)
        yield from pair.correlations() if first[0].correlated else pair.means()


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two systems' items of a task, matched, a list of seeds each."""

    one: System
    other: System
    first: Sequence[Items]
    second: Sequence[Items]
    suite: str
    task: str
    method: Method

    def means(self) -> Iterator[Comparison]:
        """Metrics that are means over items."""
        everywhere = [set(items.values) for items in (*self.first, *self.second)]
        names = [name for name in self.first[0].values if all(name in each for each in everywhere)]
        apart = sorted(set.union(*everywhere) - set(names))
        if apart:
            logger.warning(
                "%s/%s: not all systems have %s: not compared", self.suite, self.task, ", ".join(apart)
            )
        names = self._wanted(names)
        if not names:
            return
        a, b = ({name: np.stack([each.values[name] for each in seeds]) for name in names}
                for seeds in (self.first, self.second))  # fmt: skip
        found = paired_differences(a, b, seed=self.method.seed, resamples=self.method.resamples)
        for name in names:
            values = [each[name].mean(axis=0) for each in (a, b)]
            systems = [each[name].mean(axis=1) for each in (a, b)]
            yield self._comparison(name, found[name], systems, values, values[0] - values[1])

    def correlations(self) -> Iterator[Comparison]:
        """Metrics that are correlations of similarities with gold scores."""
        a, b = (np.stack([each.values[PREDICTED] for each in seeds]) for seeds in (self.first, self.second))
        gold = self.first[0].values[GOLD]
        errors = [_rank_errors(each, gold) for each in (a, b)]
        for name in CORRELATIONS:
            if not self._wanted([name]):
                continue
            try:
                found = correlation_difference(
                    name, a, b, gold, seed=self.method.seed, resamples=self.method.resamples
                )
            except InputError as error:
                raise InputError(f"{self.suite}/{self.task}: {error.message}") from None
            systems = [np.array([CORRELATION[name](each, gold) for each in one]) for one in (a, b)]
            yield self._comparison(
                name, found, systems, [a.mean(axis=0), b.mean(axis=0)], errors[1] - errors[0]
            )

    def _wanted(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.method.metrics or name in self.method.metrics]

    def _comparison(
        self,
        metric: str,
        found: PairedDifference,
        systems: Sequence[Values],
        values: Sequence[Values],
        change: Values,
    ) -> Comparison:
        """From the systems' values by seed, their values by item, and each item's ``change``."""
        direction = larger_is_better(metric)
        sides = [int(np.count_nonzero(each > 0)) for each in (change, -change)][
            :: -1 if direction is False else 1
        ]
        better, worse = (None, None) if direction is None else sides
        deviations = [float(each.std(ddof=1)) if len(each) > 1 else None for each in systems]
        return Comparison(
            suite=self.suite,
            task=self.task,
            metric=metric,
            first=self.one.name,
            second=self.other.name,
            items=len(change),
            first_value=float(systems[0].mean()),
            second_value=float(systems[1].mean()),
            first_deviation=deviations[0],
            second_deviation=deviations[1],
            difference=found,
            larger_is_better=direction,
            better=better,
            equal=int(np.count_nonzero(change == 0)),
            worse=worse,
            moved=self._moved(values, change),
        )

    def _moved(self, values: Sequence[Values], change: Values) -> tuple[Moved, ...]:
        rows = np.argsort(-np.abs(change), kind="stable")[: self.method.items]
        ids = [self.first[0].ids[row] for row in rows if change[row]]
        texts = read_texts(self.one.folders[0], self.suite, self.task, ids) if ids else {}
        return tuple(
            Moved(each, texts.get(each, ""), float(values[0][row]), float(values[1][row]), float(change[row]))
            for each, row in zip(ids, rows, strict=False)
        )


def _rank_errors(predicted: Values, gold: Values) -> Values:
    """(seeds, N) similarities → (N,) how far each pair's rank lies from people's, in per cent of the ranks, mean over seeds."""
    ranks, people = stats.rankdata(predicted, axis=-1), stats.rankdata(gold)
    return np.asarray(100 * np.abs(ranks - people).mean(axis=0) / len(gold))
