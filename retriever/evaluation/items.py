"""The items of a stored evaluation: what each query, pair or text scored."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.data.files import file_sha256
from retriever.data.lines import read_json_objects
from retriever.errors import InputError
from retriever.evaluation.results import items_file

PREDICTED, GOLD = "predicted", "gold"


@dataclass(frozen=True, slots=True)
class Items:
    """Values of the items of one task.

    Attributes:
        ids: of the N items, in the file's order.
        values: metric → (N,) values; ``predicted`` and ``gold`` of a task whose metric is their correlation.
    """

    ids: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]

    @property
    def correlated(self) -> bool:
        """Whether the task's metrics are correlations, which are not means over items."""
        return PREDICTED in self.values and GOLD in self.values

    def matched(self, ids: Collection[str]) -> "Items":
        """The items of these ids, all of which are there, in the order of the ids."""
        rows = {each: row for row, each in enumerate(self.ids)}
        order = [rows[each] for each in ids]
        return Items(tuple(ids), {name: each[order] for name, each in self.values.items()})


def read_items(folder: Path, results: Mapping[str, Any], suite: str, task: str) -> Items | None:
    """The items of one task; None: it has none (an average, a measure of the whole space).

    Args:
        folder: of the results.
        results: what ``read_results`` gave for it.
        suite: the suite.
        task: one of its tasks.

    Raises:
        InputError: the items are not those that results.json names, or an item has other metrics than the first or no number.
    """
    about = results["items"][suite][task]
    if not about.get("count"):
        return None
    file = items_file(folder, suite, task)
    if file_sha256(file) != about.get("sha256"):
        raise InputError(
            f"these are not the items of {folder / 'results.json'}: evaluate again with --replace", path=file
        )
    objects = read_json_objects(file)
    first = next(objects)
    names = [name for name in first[1] if name not in ("id", "text")]
    ids: list[str] = []
    values: list[NDArray[np.float64]] = []
    for line, item in chain([first], objects):
        ids.append(item["id"])
        values.append(np.array([_number(item.get(name), name, file, line) for name in names]))
    return Items(tuple(ids), dict(zip(names, np.array(values).T.copy(), strict=True)))


def read_texts(folder: Path, suite: str, task: str, ids: Collection[str]) -> dict[str, str]:
    """Item id → its text, where it has one: the second reading keeps a million texts out of memory."""
    wanted = set(ids)
    objects = read_json_objects(items_file(folder, suite, task))
    return {item["id"]: item["text"] for _, item in objects if item["id"] in wanted and "text" in item}


def _number(value: object, name: str, file: Path, line: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"'{name}' must be a number, found {value!r}", path=file, line=line)
    return float(value)
