"""The folder of one training run: what was asked, on what it ran, how it went, and the best model."""

import json
import logging
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from retriever.data.files import (
    atomic_file,
    file_sha256,
    read_json,
    require_new_folder,
    without_nan,
    write_json,
)
from retriever.data.folders import replaced_folder, settle_folder, surviving_folder
from retriever.data.metrics import METRICS_FILE
from retriever.errors import InputError
from retriever.training.checkpoint import Best, require_same
from retriever.training.trackers import Tracker
from retriever.versions import installed

logger = logging.getLogger(__name__)

PACKAGES = ("contrastive-text-learning", "torch", "transformers", "tokenizers", "numpy")


TRAINING_FILE = "training.json"
"""Beside the weights of ``model/``: after which step they were saved, and their dev metrics."""

MAY_DIFFER = {"output", "device", "report_to", "checkpoint_every", "chunk_tokens"}
"""Settings that a resumed run may have other than at its start. Only other chunks change bits: they draw other dropout masks."""


WHOLE = 2**62
"""Tokens in a chunk when a whole batch fits."""

LOCK = ".training.lock"
"""Held by the process that writes the run directory, so that a second one that goes on with the run is refused."""

MINED = "mined"
"""The folder of the hard negatives that were mined before the training."""

ENVIRONMENT_FILE = "environment.json"
"""Written when the training begins, after ``config.json``: without it there has been no step, and nothing is held to it."""

BEFORE_THE_CONFIG = {LOCK, MINED, "log.txt", "tensorboard", "wandb"}
"""What a run that was killed at its very start may have left."""


class RunDirectory:
    """Writes a run directory; see the README for its files.

    Args:
        path: the directory.
        writes: whether anything is written; of several processes only the main one writes.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.trackers: Sequence[Tracker] = ()

    def start(self, *, config: Mapping[str, object], environment: Mapping[str, object]) -> None:
        """Write ``config.json``, to repeat the run, and ``environment.json`` into the directory; a run that was begun goes on.

        Args:
            config: the whole resolved config.
            environment: what the recipe knows of the run: device, precision, seed, processes.
        """
        if not self.writes:
            return
        environment = {**environment, **_environment()}
        if is_begun(self.path):
            first = read_json(self.path / ENVIRONMENT_FILE)
            if isinstance(first, dict):
                resumed = [*first.get("resumed", []), environment]
                write_json(self.path / ENVIRONMENT_FILE, {**first, "resumed": resumed})
            settle_folder(self.path / "model")
            return
        write_json(self.path / "config.json", dict(config))  # first: with it --resume finds its way
        write_json(self.path / ENVIRONMENT_FILE, environment)

    def require_same(self, circumstances: Mapping[str, object]) -> None:
        """InputError if a run that was begun here, and killed before its first checkpoint, began in other circumstances."""
        if is_begun(self.path):
            first = read_json(self.path / ENVIRONMENT_FILE)
            require_same(first if isinstance(first, dict) else {}, circumstances, self.path)

    @property
    def first_chunk_tokens(self) -> int | None:
        """What ``--chunk-tokens auto`` found when the run was begun; None: it was not begun, or not with auto."""
        if not is_begun(self.path):
            return None
        config, first = (read_json(self.path / name) for name in ("config.json", ENVIRONMENT_FILE))
        if (
            not isinstance(config, dict)
            or not isinstance(first, dict)
            or config.get("chunk_tokens") != "auto"
        ):
            return None
        found = first.get("chunk_tokens")
        return found if isinstance(found, int) else WHOLE

    @property
    def model(self) -> Path:
        """Where the best model lies."""
        return surviving_folder(self.path / "model")

    @property
    def checkpoint(self) -> Path:
        """Where ``--resume`` finds the state of the training."""
        return self.path / "last"

    def log_metrics(self, values: Mapping[str, object]) -> None:
        """Append one object to ``metrics.jsonl``; NaN, which JSON does not know, becomes null."""
        if not self.writes:
            return
        with (self.path / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(without_nan(values), allow_nan=False) + "\n")
        for tracker in self.trackers:
            tracker.log(values)

    def forget_metrics_after(self, step: int) -> None:
        """Leave out of ``metrics.jsonl`` what a killed run wrote after its last checkpoint: it comes again."""
        path = self.path / METRICS_FILE
        if not self.writes or not path.exists():
            return
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] > step:
                    break
            except (ValueError, KeyError, TypeError):  # a line that the kill cut
                break
            kept.append(line + "\n")
        with atomic_file(path) as file:
            file.writelines(kept)

    def save_model(self, save: Callable[[Path], None], best: Best) -> None:
        """Replace ``model/`` by what ``save`` writes; a kill at any moment leaves the old model or the new."""
        if not self.writes:
            return
        with replaced_folder(self.path / "model") as folder:
            save(folder)
            write_json(folder / TRAINING_FILE, without_nan(asdict(best)))

    def saved_best(self) -> Best | None:
        """The step and dev metrics of the model in ``model/``, if one was saved."""
        file = self.model / TRAINING_FILE
        if not file.is_file():
            return None
        values = read_json(file)
        if not isinstance(values, dict) or set(values) != {"step", "metrics"}:
            raise InputError("expected step and metrics of the saved model", path=file)
        return Best(**values)

    def forget_checkpoint(self) -> None:
        """The run is finished, with its ``results.json``."""
        if self.writes:
            settle_folder(self.checkpoint)
            shutil.rmtree(self.checkpoint, ignore_errors=True)


def is_begun(path: Path) -> bool:
    """Whether the training of a run directory has begun; before, there may be settings and what was mined."""
    return (path / ENVIRONMENT_FILE).exists()


def is_empty_but_for_the_lock(path: Path) -> bool:
    """Whether a folder is there in which nothing lies but what a killed process held it by."""
    return path.is_dir() and {each.name for each in path.iterdir()} <= {LOCK}


def require_resumable(path: Path, config: Mapping[str, object]) -> bool:
    """Whether there is a run to go on with; False: the folder is new, or the run was killed before it began.

    Raises:
        InputError: the folder holds something else, or a run with other settings.
    """
    if not (path / "config.json").exists():
        if path.is_dir() and all(
            each.name in BEFORE_THE_CONFIG or each.name.startswith("seed-") for each in path.iterdir()
        ):
            return False
        require_new_folder(path)
        return False
    begun = read_json(path / "config.json")
    if not isinstance(begun, dict):
        raise InputError("expected the settings of a run", path=path / "config.json")
    for name in sorted({*begun, *config} - MAY_DIFFER):
        if begun.get(name) != config.get(name):
            raise InputError(
                f"the run was started with {name} {begun.get(name)!r}, not {config.get(name)!r}: "
                "--resume goes on with the settings of the start",
                path=path,
            )
    if begun.get("chunk_tokens") != config.get("chunk_tokens"):
        logger.warning(
            "--chunk-tokens is another than at the start: from here on the dropout masks are others"
        )
    return True


def described_files(
    files: Mapping[str, Sequence[Path] | Path | None],
) -> dict[str, list[dict[str, str | None]]]:
    """Name and SHA-256 of every file that is read; of a folder, or of a data set of the hub, the name."""
    found = {
        purpose: [paths] if isinstance(paths, Path) else list(paths or ()) for purpose, paths in files.items()
    }
    return {
        purpose: [
            {"name": str(each), "sha256": file_sha256(each) if each.is_file() else None} for each in paths
        ]
        for purpose, paths in found.items()
        if paths
    }


def _environment() -> dict[str, object]:
    """Versions, machine, command line and git commit."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": installed(PACKAGES),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the working directory, if it is a git checkout."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
