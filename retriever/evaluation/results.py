"""A folder of results of one model: what was measured, what stands behind it, and every item's own values.

``results.json`` holds ``{suite: {task: {metric: value}}}``, the model once, and by suite and task the policy, the data, the versions and
the number and SHA-256 of the items in ``items/SUITE/TASK.jsonl``. Items are what a task's metrics are computed of: queries, pairs,
labelled texts. ``ctl compare`` matches them by id.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retriever.data.files import (
    atomic_file,
    file_sha256,
    read_json,
    require_new_folder,
    without_nan,
    write_json,
)
from retriever.data.folders import locked
from retriever.errors import InputError
from retriever.versions import versions

RESULTS_FILE = "results.json"
ITEMS_FOLDER = "items"
BY_TASK = ("policy", "data", "items", "versions")
RESERVED = (*BY_TASK, "model")
LOCK_SECONDS = 60

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is evaluated and how: equal ones give equal results, so that none is computed twice.

    Args:
        suite: sts, transfer, retrieval, geometry …
        task: the data set's name, which becomes a file's.
        policy: how the metrics are computed: every choice that moves a number. Further keys that only the evaluation itself can know
            may join it when the results are written.
        model: what is evaluated, ``fingerprint`` and ``name`` among it; one folder holds one fingerprint.
        data: where the data lie, and ``sha256`` of their content; further hashes, ``…_sha256``, count for resuming only.

    Raises:
        InputError: the task's name cannot be that of a file.
        ValueError: a suite's name means something else in results.json, or a fingerprint or hash is missing.
    """

    suite: str
    task: str
    policy: Mapping[str, Any]
    model: Mapping[str, Any]
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.suite in RESERVED or Path(self.suite).name != self.suite:
            raise ValueError(f"a suite cannot be called '{self.suite}'")
        require_task_name(self.task)
        if not self.model.get("fingerprint") or not self.data.get("sha256"):
            raise ValueError("an evaluation needs model['fingerprint'] and data['sha256']")


def require_task_name(task: str) -> None:
    """Raise InputError unless a task's name can be that of a file."""
    if not task or task.startswith(".") or Path(task).name != task:
        raise InputError(f"a task called '{task}' cannot be kept: its name becomes a file's")


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What a folder of results holds of one task.

    Attributes:
        evaluation: as it was made: with all keys of its policy, and with the model and the data as they were called then.
        metrics: of the task.
        versions: of the packages that computed them.
    """

    evaluation: Evaluation
    metrics: dict[str, Any]
    versions: dict[str, str]


def stored_result(folder: Path, evaluation: Evaluation, *, replace: bool = False) -> StoredResult | None:
    """What the folder holds of an evaluation already; None: it is still to be made.

    Args:
        folder: need not exist.
        evaluation: what is asked for.
        replace: what is there of this task does not count.

    Raises:
        InputError: the folder is another model's, or holds this task by another policy or of other data and ``replace`` is not set.
    """
    found = read_results(folder) if (folder / RESULTS_FILE).exists() else None
    if found is None:
        _require_writable(folder)
        return None
    _require_model(folder, found["model"], evaluation.model)
    suite, task = evaluation.suite, evaluation.task
    if replace or task not in found.get(suite, {}):
        return None
    differing = _differing(found, evaluation)
    if differing:
        raise InputError(
            f"{suite}/{task} is there with another {' and '.join(differing)}: choose another --output, or --replace it",
            path=folder,
        )
    logger.info(
        "%s/%s is in %s already, with this model, policy and data: not computed again", suite, task, folder
    )
    policy, data, made_with = (found[name][suite][task] for name in ("policy", "data", "versions"))
    as_made = Evaluation(suite=suite, task=task, policy=policy, model=found["model"], data=data)
    return StoredResult(as_made, found[suite][task], made_with)


def write_results(
    folder: Path,
    evaluation: Evaluation,
    metrics: Mapping[str, object],
    items: Iterable[Mapping[str, object]] = (),
    *,
    facts: Mapping[str, int | str] | None = None,
) -> None:
    """Put a task's results beside those that the folder holds; what was there of the task is replaced.

    The items are written first; results.json, which holds their hash, then names them: a kill in between leaves what
    ``read_items`` refuses, and never the metrics of one evaluation beside the items of another.

    Args:
        folder: made if missing.
        evaluation: what was evaluated, and how.
        metrics: of the task: numbers, or lists of them (a spectrum); NaN becomes null.
        items: streamed; each has ``id``, may have ``text`` for people, and the rest are numbers, a metric's value on the scale of the
            metric, so that their mean is the metric's (or ``predicted`` and ``gold``, of which a correlation is one). None of them: the
            task has no items, and ``ctl compare`` has nothing to test.
        facts: further keys of results.json, of the model as a whole.

    Raises:
        InputError: the folder is another model's, cannot be written, or two items have one id.
    """
    suite, task = evaluation.suite, evaluation.task
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write here: {error.strerror}", path=folder) from None
    # two evaluations may write into one folder: each reads what the other wrote before it adds its own
    with locked(folder / ".lock", "another process writes results here", seconds=LOCK_SECONDS):
        path = folder / RESULTS_FILE
        found: dict[str, Any] = {"model": without_nan(evaluation.model)}
        if path.exists():
            found = read_results(folder)
        _require_model(folder, found["model"], evaluation.model)
        file = items_file(folder, suite, task)
        file.parent.mkdir(parents=True, exist_ok=True)
        count = _write_items(file, items)
        about = {
            "policy": evaluation.policy,
            "data": evaluation.data,
            "items": {"count": count, "sha256": file_sha256(file)},
            "versions": versions(),
        }
        if not count:
            file.unlink()
        for name, value in {suite: metrics, **about}.items():
            entry = found.setdefault(name, {})
            (entry if name == suite else entry.setdefault(suite, {}))[task] = without_nan(value)
        found |= facts or {}
        suites = [name for name in found if name not in RESERVED]
        write_json(path, {name: found[name] for name in (*suites, "model", *BY_TASK)})


def write_model(folder: Path, model: Mapping[str, Any], facts: Mapping[str, int | str]) -> None:
    """A results.json without results: what the model is, to which ``write_results`` may add; arguments as there."""
    write_json(
        folder / RESULTS_FILE, {**facts, "model": without_nan(model), **{name: {} for name in BY_TASK}}
    )


def read_results(folder: Path) -> dict[str, Any]:
    """What results.json holds, its shape checked.

    Raises:
        InputError: there is none, or it is not one that ``write_results`` wrote.
    """
    path = folder / RESULTS_FILE
    if folder.is_dir() and not path.exists():
        raise InputError(f"no {RESULTS_FILE} in this folder: ctl eval … --output writes one", path=folder)
    found = read_json(path)
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("model"), dict)
        or "fingerprint" not in found["model"]
    ):
        raise InputError("not the results of an evaluation: no model with a fingerprint", path=path)
    tasks = {(suite, task) for suite, task in tasks_of(found)}
    for suite, task in sorted(tasks):
        if not isinstance(found[suite][task], dict):
            raise InputError(f"not the results of an evaluation: {suite}/{task} has no metrics", path=path)
    for name in BY_TASK:
        by_suite = found.get(name)
        if not isinstance(by_suite, dict) or any(
            not isinstance(by_suite.get(suite), dict) or not isinstance(by_suite[suite].get(task), dict)
            for suite, task in tasks
        ):
            raise InputError(
                f"not the results of an evaluation: '{name}' does not tell of every task", path=path
            )
    return found


def tasks_of(results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Suites and tasks of what ``read_results`` gives, in their order."""
    for suite, tasks in results.items():
        if suite not in RESERVED and isinstance(tasks, dict):
            yield from ((suite, task) for task in tasks)


def items_file(folder: Path, suite: str, task: str) -> Path:
    """Where the items of a task lie."""
    return folder / ITEMS_FOLDER / suite / f"{task}.jsonl"


def _write_items(file: Path, items: Iterable[Mapping[str, object]]) -> int:
    """One a line. Returns how many."""
    seen: set[object] = set()
    with atomic_file(file) as opened:
        for item in items:
            if not isinstance(item.get("id"), str):
                raise ValueError(f"an item needs an id, which is a string: {item!r}")
            if item["id"] in seen:
                raise InputError(f"two items have the id '{item['id']}'", path=file)
            seen.add(item["id"])
            opened.write(json.dumps(without_nan(item), ensure_ascii=False, allow_nan=False) + "\n")
    return len(seen)


def _require_model(folder: Path, found: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    if found["fingerprint"] != model["fingerprint"]:
        modes = [each.get("mode") for each in (found, model)]
        names = [
            f"'{each.get('name')}' ({f'mode {mode}, ' if modes[0] != modes[1] and mode else ''}fingerprint "
            f"{str(each['fingerprint'])[:18]})"
            for each, mode in zip((found, model), modes, strict=True)
        ]
        raise InputError(
            f"holds results of {names[0]}, this is {names[1]}: choose another --output", path=folder
        )


def _require_writable(folder: Path) -> None:
    """Before an evaluation of hours, not after it."""
    if not folder.is_dir():
        require_new_folder(folder)
    elif not os.access(folder, os.W_OK):
        raise InputError("cannot write here: not permitted", path=folder)
    elif (folder / "environment.json").is_file():  # its results.json would say that it is finished
        raise InputError(
            "is a run that is not finished: choose another --output, or --resume it", path=folder
        )


def _differing(found: Mapping[str, Any], evaluation: Evaluation) -> list[str]:
    """Which of policy and data are not those of the stored results, with the keys of the policy that differ."""
    suite, task = evaluation.suite, evaluation.task
    stored = {name: found[name][suite][task] for name in ("policy", "data")}
    policy, data = (
        json.loads(json.dumps(without_nan(each))) for each in (evaluation.policy, evaluation.data)
    )
    keys = [key for key in policy if key not in stored["policy"] or stored["policy"][key] != policy[key]]
    hashes = [key for key in data if key.endswith("sha256") and stored["data"].get(key) != data[key]]
    return [
        *([f"policy ({', '.join(keys)})"] if keys else []),
        *([f"data ({', '.join(hashes)})"] if hashes else []),
    ]
