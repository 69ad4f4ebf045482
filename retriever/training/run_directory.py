"""The folder of one training run: what was asked, on what it ran, how it went, and the best model."""

import json
import math
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from retriever.data.files import require_new_folder, write_json
from retriever.data.folders import replaced_folder, surviving_folder

PACKAGES = ("contrastive-text-learning", "torch", "transformers", "tokenizers", "numpy")


class RunDirectory:
    """Writes a run directory; see the README for its files.

    Args:
        path: the directory, made here; it must not exist or be empty.
        config: the whole resolved config; ``config.json`` repeats the run.
        environment: what the recipe knows of the run: device, precision, seed.

    Raises:
        InputError: the directory exists and is not empty.
    """

    def __init__(
        self, path: Path, *, config: Mapping[str, object], environment: Mapping[str, object]
    ) -> None:
        require_new_folder(path)
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        write_json(path / "environment.json", {**environment, **_environment()})
        write_json(path / "config.json", dict(config))

    @property
    def model(self) -> Path:
        """Where the best model lies."""
        return surviving_folder(self.path / "model")

    def log_metrics(self, values: Mapping[str, object]) -> None:
        """Append one object to ``metrics.jsonl``; NaN, which JSON does not know, becomes null."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(without_nan(values), allow_nan=False) + "\n")

    def save_model(self, save: Callable[[Path], None]) -> None:
        """Replace ``model/`` by what ``save`` writes; a kill at any moment leaves the old model or the new."""
        with replaced_folder(self.path / "model") as folder:
            save(folder)

    def save_results(self, results: Mapping[str, object]) -> None:
        """Write ``results.json``: the run is finished."""
        write_json(self.path / "results.json", without_nan(results))


def without_nan(value: object) -> object:
    """The value with None in place of every number that is not finite."""
    if isinstance(value, Mapping):
        return {key: without_nan(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _environment() -> dict[str, object]:
    """Versions, machine, command line and git commit."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(PACKAGES),
        "git_commit": _git_commit(),
    }


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions; a package that is not installed is left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """The commit of the working directory, if it is a git checkout."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
