"""The systems of a comparison: their stored results, and what of them can be compared."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retriever.errors import InputError
from retriever.evaluation.items import GOLD, Items, read_items
from retriever.evaluation.results import read_results, tasks_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class System:
    """A system: the results of one training seed, or of several.

    Attributes:
        name: what the user calls it.
        folders: of results, one a seed.
        results: of each folder, what ``read_results`` gave.
    """

    name: str
    folders: tuple[Path, ...]
    results: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, name: str, folders: Sequence[Path]) -> "System":
        """Read the results.

        Raises:
            InputError: a folder without results, or a model twice.
        """
        results = tuple(read_results(each) for each in folders)
        fingerprints = [each["model"]["fingerprint"] for each in results]
        for place, fingerprint in enumerate(fingerprints):
            if fingerprint in fingerprints[:place]:
                raise InputError(f"one model twice among the seeds of '{name}'", path=folders[place])
        return cls(name, tuple(folders), results)

    @property
    def seeds(self) -> list[tuple[Path, dict[str, Any]]]:
        """Folder and results of each seed."""
        return list(zip(self.folders, self.results, strict=True))


def common_tasks(systems: Sequence[System]) -> list[tuple[str, str]]:
    """The tasks that every seed of every system has, in the first one's order; the others are told."""
    known = {(name, str(folder)): list(tasks_of(results)) for name, folder, results in _seeds_of(systems)}
    common: list[tuple[str, str]] = []
    for task in dict.fromkeys(each for tasks in known.values() for each in tasks):
        without = [name for (name, _), tasks in known.items() if task not in tasks]
        if without:
            logger.warning("%s: '%s' has no such results: not compared", "/".join(task), without[0])
        else:
            common.append(task)
    return common


def read_seeds(system: System, suite: str, task: str) -> list[Items | None]:
    """The items of each seed."""
    return [read_items(folder, results, suite, task) for folder, results in system.seeds]


def require_same_data(systems: Sequence[System], suite: str, task: str, *, common: bool) -> None:
    """Raise InputError where the data's hash is not that of the first system's, unless only what is ``common`` is compared."""
    (first, _, of_first), *others = _seeds_of(systems)
    expected = of_first["data"][suite][task].get("sha256")
    for name, folder, results in others:
        if results["data"][suite][task].get("sha256") != expected and not common:
            raise InputError(
                f"{suite}/{task} of '{name}' was evaluated on other data than that of '{first}' "
                "(--common: compare the items whose ids both have)",
                path=folder,
            )


def warn_of_policies(systems: Sequence[System], suite: str, task: str) -> None:
    """A word for each system whose policy is not the first one's."""
    first, *others = [(name, results["policy"][suite][task]) for name, _, results in _seeds_of(systems)]
    for name, policy in others:
        policies = [first[1], policy]
        if keys := differing_keys(policies):
            both = [f"{key} ({' and '.join(json.dumps(each.get(key)) for each in policies)})" for key in keys]
            logger.warning(
                "%s/%s: '%s' and '%s' were evaluated by different policies: %s",
                suite, task, first[0], name, ", ".join(both),
            )  # fmt: skip


def differing_keys(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys that do not have one value in all columns."""
    keys = dict.fromkeys(key for each in columns for key in each)
    return [key for key in keys if any(each.get(key) != columns[0].get(key) for each in columns)]


def _seeds_of(systems: Sequence[System]) -> list[tuple[str, Path, dict[str, Any]]]:
    """Name, folder and results of every seed of every system."""
    return [(system.name, *seed) for system in systems for seed in system.seeds]


def match_items(
    systems: Sequence[System], seeds: Sequence[Sequence[Items]], where: str, *, common: bool
) -> list[list[Items]]:
    """The items that all have, in one order."""
    known = [set(items.ids) for each in seeds for items in each]
    shared = set.intersection(*known)
    missing = len(set.union(*known)) - len(shared)
    if not shared:
        raise InputError(f"{where}: the systems have no item in common")
    if missing and not common:
        counts = ", ".join(
            f"'{system.name}' {len(each[0].ids)}" for system, each in zip(systems, seeds, strict=True)
        )
        raise InputError(
            f"{where}: {missing} items are not in all systems ({counts}): --common compares the {len(shared)} that are"
        )
    if missing:
        logger.warning(
            "%s: %d items are not in all systems: left out, %d compared", where, missing, len(shared)
        )
    order = [each for each in seeds[0][0].ids if each in shared]
    matched = [[items.matched(order) for items in each] for each in seeds]
    flat = [items for each in matched for items in each]
    if len({items.correlated for items in flat}) > 1:
        raise InputError(f"{where}: some systems have similarities and others metrics")
    if flat[0].correlated and any(
        not np.array_equal(items.values[GOLD], flat[0].values[GOLD]) for items in flat
    ):
        raise InputError(f"{where}: items of one id have other gold scores: these are not the same pairs")
    return matched
