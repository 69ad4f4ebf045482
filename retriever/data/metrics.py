"""The metrics of a training run, as ``metrics.jsonl`` in its run directory holds them."""

import logging
from pathlib import Path
from typing import Any

from retriever.data.files import parse_json, unreadable
from retriever.errors import InputError

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.jsonl"


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """What a run has logged so far: one object a step, in the order of the steps.

    The lines of a step (the loss, the dev evaluation) become one object, in which the later line wins. A line
    whose step lies before that of the line above it is where the run was resumed: what was logged for greater
    steps until then is out of date, and left out. Lines that a kill has cut are skipped, with a warning.

    Args:
        run: the run directory.

    Returns:
        Objects with the whole number ``step`` and whatever was logged; null, which stands for NaN, is None.

    Raises:
        InputError: no run directory, or nothing was logged yet.
    """
    path = run / METRICS_FILE
    steps: dict[int, dict[str, Any]] = {}
    skipped, last = 0, -1
    for number, line in enumerate(_lines(run, path), start=1):
        values = _logged(line, path, number)
        if values is None:
            skipped += 1
            continue
        step = values["step"]
        if step < last:
            steps = {each: logged for each, logged in steps.items() if each <= step}
        steps[step] = {**steps.get(step, {}), **values}
        last = step
    if skipped:
        logger.warning("%s: %d damaged %s skipped", path, skipped, "line" if skipped == 1 else "lines")
    if not steps:
        raise InputError("no metrics in this run yet", path=path)
    return [steps[step] for step in sorted(steps)]


def _lines(run: Path, path: Path) -> list[str]:
    """The lines that hold something; bytes that are no UTF-8 only damage their own line."""
    if not run.is_dir():
        raise InputError("no such run directory", path=run)
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        raise InputError(
            f"not a run directory, or nothing logged yet: no {METRICS_FILE} in it", path=run
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
    return [line for line in text.split("\n") if line.strip()]


def _logged(line: str, path: Path, number: int) -> dict[str, Any] | None:
    """One line's object; None when it is damaged: no JSON, no object, or one without a step."""
    try:
        values = parse_json(line, path=path, line=number)
    except InputError:
        return None
    step = values.get("step") if isinstance(values, dict) else None
    return values if isinstance(step, int) and not isinstance(step, bool) and step >= 0 else None
