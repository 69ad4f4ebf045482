"""What the tasks of a suite share: how they are run, their texts, each encoded once, and the average that papers print of them."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.evaluation.results import Evaluation, StoredResult, read_results, stored_result, write_results
from retriever.protocols import EncodeTexts

ByTask = dict[str, dict[str, Any]]
"""Task → metric, or key of the policy → value."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What the evaluation of a task gives.

    Attributes:
        metrics: as for ``write_results``.
        items: as for ``write_results``.
        chosen: keys that join the task's policy: what only the evaluation itself can know.
    """

    metrics: Mapping[str, Any]
    items: Iterable[Mapping[str, object]] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Average:
    """The average over seven tasks that papers print of a suite.

    Attributes:
        task: what it is called among the suite's tasks.
        known: a task's name → which of the seven it is; None: none of them.
        of: the metrics of those tasks → the average; None: they are not all there.
        by_task: keys of the policy that differ from task to task.
    """

    task: str
    known: Callable[[str], str | None]
    of: Callable[[Mapping[str, Mapping[str, Any]]], Mapping[str, Any] | None]
    by_task: tuple[str, ...] = ()


class EncodeOnce:
    """Encodes each distinct text once, however many tasks have it: a suite's tasks share many sentences.

    Args:
        encode: called with texts that it has not had yet.
    """

    def __init__(self, encode: EncodeTexts) -> None:
        self._encode = encode
        self._embeddings: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) embeddings."""
        new = list(dict.fromkeys(each for each in texts if each not in self._embeddings))
        if new:
            found = np.asarray(self._encode(new))
            if found.ndim != 2 or len(found) != len(new):
                raise ValueError(f"encode gave shape {found.shape} for {len(new)} texts")
            self._embeddings.update(zip(new, found, strict=True))
        return np.stack([self._embeddings[each] for each in texts])


def run_suite(
    evaluations: Mapping[str, Evaluation],
    evaluate: Callable[[str], TaskResult],
    *,
    output: Path | None,
    replace_stored: bool,
    average: Average | None = None,
) -> tuple[ByTask, ByTask]:
    """Evaluate the tasks of one suite one by one, but for those that a folder holds; each is written when it is there.

    Args:
        evaluations: task → what is evaluated, and how.
        evaluate: a task's name → its result.
        output: the folder of results; None: they are only returned.
        replace_stored: what is there of these tasks does not count.
        average: that joins the metrics when its tasks are all there, in the folder if there is one.

    Returns:
        Metrics and policy of each task, in the order given.

    Raises:
        InputError: as ``stored_result``, for any of the tasks before the first is evaluated.
    """
    stored: dict[str, StoredResult | None] = {}
    if output is not None:
        stored = {
            name: stored_result(output, each, replace=replace_stored) for name, each in evaluations.items()
        }
    metrics: ByTask = {}
    policies: ByTask = {}
    for name, each in evaluations.items():
        if kept := stored.get(name):
            metrics[name], policies[name] = kept.metrics, dict(kept.evaluation.policy)
            continue
        result = evaluate(name)
        metrics[name], policies[name] = dict(result.metrics), {**each.policy, **result.chosen}
        if output is not None:
            write_results(output, replace(each, policy=policies[name]), metrics[name], result.items)
    if average is not None:
        suite = next(iter(evaluations.values())).suite
        found = average.of(metrics) if output is None else _keep_average(output, suite, average)
        if found is not None:
            metrics[average.task] = dict(found)
    return metrics, policies


def _keep_average(folder: Path, suite: str, average: Average) -> Mapping[str, Any] | None:
    """The average over the seven tasks that a folder holds by now, whichever command evaluated them; written there, too.

    It is null where some of them were evaluated by another policy than the others.
    """
    results = read_results(folder)
    seven = [name for name in results[suite] if average.known(name)]
    found = average.of({name: results[suite][name] for name in seven})
    if found is None:
        return None
    policies = [
        {key: value for key, value in results["policy"][suite][name].items() if key not in average.by_task}
        for name in seven
    ]
    if any(each != policies[0] for each in policies):
        logger.warning("the seven tasks were not evaluated by one policy: no average")
        found = dict.fromkeys(found)
    hashes = [results["data"][suite][name]["sha256"] for name in seven]
    evaluation = Evaluation(
        suite=suite,
        task=average.task,
        policy={**policies[0], "average": "unweighted mean over seven tasks"},
        model=results["model"],
        data={"sha256": hashlib.sha256(json.dumps(hashes).encode()).hexdigest(), "tasks": seven},
    )
    write_results(folder, evaluation, found)
    return found
