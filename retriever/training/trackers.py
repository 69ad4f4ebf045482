"""Experiment trackers: the lines of ``metrics.jsonl`` also go to TensorBoard or to Weights & Biases, through accelerate."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from retriever.errors import InputError

PROJECT = "contrastive-text-learning"
"""The project of the runs at Weights & Biases, where ``WANDB_PROJECT`` names no other."""


class Tracker:
    """Sends the metrics of one run to one tracker.

    Args:
        backend: a started tracker of ``accelerate.tracking``.
    """

    def __init__(self, backend: Any) -> None:  # noqa: ANN401  (accelerate ships no types)
        self._backend, self._open = backend, True

    def log(self, values: Mapping[str, object]) -> None:
        """Send the finite numbers of one object: ``{"step": 5, "dev": {"nll": 2.0}}`` is ``dev/nll`` at step 5."""
        numbers = {name: value for name, value in flat_numbers(values).items() if name != "step"}
        if numbers:
            self._backend.log(numbers, step=values["step"])

    def finish(self) -> None:
        """Write what is left and close; once closed, it stays so."""
        if self._open:
            self._open = False
            self._backend.finish()


def flat_numbers(values: Mapping[str, object], prefix: str = "") -> dict[str, float]:
    """The finite numbers in nested objects, named by their path; truth values are no numbers."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat_numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[prefix + name] = value
    return found


def open_trackers(names: Sequence[str], folder: Path, config: Mapping[str, object]) -> list[Tracker]:
    """Open trackers for a run. Of several processes only the main one calls it, once the others are connected.

    Args:
        names: which, of ``TrackerName``; one that is named twice is opened once.
        folder: the run directory, made where it is missing; the trackers write below it.
        config: the settings of the run, shown beside its curves.

    Raises:
        InputError: a tracker is unknown, is not installed or does not start; then none is left open.
    """
    for name in names:
        require_installed(name)
    if names:
        folder.mkdir(parents=True, exist_ok=True)  # else wandb would write elsewhere
    opened: list[Tracker] = []
    for name in (each for each in TRACKERS if each in names):
        try:
            opened.append(Tracker(start(name, folder, config)))
        except Exception as error:  # a login, a network, a disk: each tracker has errors of its own
            for each in opened:
                each.finish()
            raise InputError(f"--report-to {name} does not start: {error}") from error
    return opened


def require_installed(name: str) -> None:
    """Check that there is such a tracker, and that its package, which has the same name, is installed.

    Raises:
        InputError: one of them is not so.
    """
    if name not in TRACKERS:
        raise InputError(f"--report-to must be one of {', '.join(TRACKERS)}, got {name!r}")
    spec = find_spec(name)
    # No origin: only a folder of that name, such as wandb's own output.
    if spec is None or spec.origin is None:
        raise InputError(
            f"--report-to {name}: not installed: pip install 'contrastive-text-learning[trackers]'"
        )


def start(name: str, folder: Path, config: Mapping[str, object]) -> Any:  # noqa: ANN401  (no types)
    """A started tracker that knows the settings of the run."""
    from accelerate import PartialState

    PartialState()  # without it accelerate's trackers cannot log that they have logged
    backend = TRACKERS[name](folder)
    backend.start()
    backend.store_init_configuration({key: plain(value) for key, value in config.items()})
    return backend


def plain(value: object) -> object:
    """A setting as trackers take it: lists and objects as JSON."""
    return value if isinstance(value, str | int | float | None) else json.dumps(value, ensure_ascii=False)


def _tensorboard(folder: Path) -> Any:  # noqa: ANN401  (accelerate ships no types)
    from accelerate.tracking import TensorBoardTracker

    return TensorBoardTracker("tensorboard", folder)


def _wandb(folder: Path) -> Any:  # noqa: ANN401  (accelerate ships no types)
    from accelerate.tracking import WandBTracker

    project = os.environ.get("WANDB_PROJECT", PROJECT)
    return WandBTracker(project, name=folder.resolve().name, dir=str(folder))


TRACKERS: dict[str, Callable[[Path], Any]] = {"wandb": _wandb, "tensorboard": _tensorboard}
"""``TrackerName`` → makes accelerate's tracker for a run directory. They are started in this order: what may want an
account comes first, so that when it fails nothing was written yet."""
