"""What the tasks of a suite share: their texts, each encoded once, and the average that papers print of them."""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.evaluation.results import Evaluation, read_results, write_results
from retriever.protocols import EncodeTexts

Metrics = Mapping[str, Mapping[str, Any]]
"""Task → metric → value."""

logger = logging.getLogger(__name__)


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


def keep_average(
    folder: Path,
    suite: str,
    task: str,
    *,
    known: Callable[[str], str | None],
    average: Callable[[Metrics], Mapping[str, Any] | None],
    by_task: Collection[str] = (),
) -> dict[str, Any] | None:
    """The average over the seven tasks that a folder holds by now, whichever command evaluated them; written there, too.

    It is null where some of them were evaluated by another policy than the others.

    Args:
        folder: of results, some of this suite.
        suite: the suite.
        task: what the average is called among the suite's tasks.
        known: a task's name → which of the seven it is; None: none of them.
        average: the metrics of those tasks → the average; None: they are not all there.
        by_task: keys of the policy that differ from task to task.
    """
    results = read_results(folder)
    seven = [name for name in results[suite] if known(name)]
    found = average({name: results[suite][name] for name in seven})
    if found is None:
        return None
    policies = [
        {key: value for key, value in results["policy"][suite][name].items() if key not in by_task}
        for name in seven
    ]
    if any(each != policies[0] for each in policies):
        logger.warning("the seven tasks were not evaluated by one policy: no average")
        found = dict.fromkeys(found)
    hashes = [results["data"][suite][name]["sha256"] for name in seven]
    evaluation = Evaluation(
        suite=suite,
        task=task,
        policy={**policies[0], "average": "unweighted mean over seven tasks"},
        model=results["model"],
        data={"sha256": hashlib.sha256(json.dumps(hashes).encode()).hexdigest(), "tasks": seven},
    )
    write_results(folder, evaluation, found)
    return dict(found)
