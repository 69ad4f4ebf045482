import math
import sys
from pathlib import Path
from typing import get_args

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from retriever.choices import TrackerName
from retriever.errors import InputError
from retriever.training.trackers import TRACKERS, flat_numbers, open_trackers

FAKE_WANDB = """
calls = []
class config:
    @staticmethod
    def update(values, **more):
        calls.append(("config", values))
class Run:
    def log(self, values, step=None):
        calls.append(("log", values, step))
    def finish(self):
        calls.append(("finish",))
def init(**settings):
    calls.append(("init", settings))
    if BROKEN:
        raise RuntimeError("No API key configured.")
    return Run()
"""


@pytest.fixture
def fake_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package wandb that notes how it is called; to call it with True is to break its ``init``."""
    (tmp_path / "packages" / "wandb").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)

    def install(*, broken: bool = False) -> list[tuple]:
        (tmp_path / "packages" / "wandb" / "__init__.py").write_text(f"BROKEN = {broken}\n{FAKE_WANDB}")
        import wandb

        return wandb.calls

    yield install
    sys.modules.pop("wandb", None)


def test_every_tracker_that_can_be_chosen_can_be_opened():
    assert set(TRACKERS) == set(get_args(TrackerName))


def test_nested_numbers_are_named_by_their_path_and_nothing_else_is_sent():
    values = {
        "step": 5,
        "loss": 0.5,
        "gradient_norm": math.nan,
        "learning_rate": math.inf,
        "best": True,
        "note": "text",
        "mean_cosine": None,
        "dev": {"spearman_all": 80.5, "parts": {"a": 1}},
    }
    assert flat_numbers(values) == {"step": 5, "loss": 0.5, "dev/spearman_all": 80.5, "dev/parts/a": 1}


def test_tensorboard_reads_back_what_was_logged(tmp_path):
    config = {"learning_rate": 3e-5, "train": ["a.txt"], "dev": None, "resume": False}
    (tracker,) = open_trackers(["tensorboard", "tensorboard"], tmp_path / "run", config)
    tracker.log({"step": 0, "dev": {"spearman_all": 70.0}, "best": True})
    tracker.log({"step": 10, "loss": 0.5, "gradient_norm": math.nan})
    tracker.log({"step": 20, "loss": 0.25})
    tracker.finish()
    tracker.finish()
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert sorted(events.Tags()["scalars"]) == ["dev/spearman_all", "loss"]
    assert [(each.step, each.value) for each in events.Scalars("loss")] == [(10, 0.5), (20, 0.25)]
    assert [(each.step, each.value) for each in events.Scalars("dev/spearman_all")] == [(0, 70.0)]
    (settings,) = (tmp_path / "run" / "tensorboard").rglob("hparams.yml")
    assert set(settings.read_text().splitlines()) == {
        "learning_rate: 3.0e-05",
        "train: '[\"a.txt\"]'",
        "dev: null",
        "resume: false",
    }


def test_wandb_is_started_in_the_run_directory_and_gets_numbers_by_step(tmp_path, fake_wandb):
    calls = fake_wandb()
    (tracker,) = open_trackers(["wandb"], tmp_path / "run-1", {"seed": 1})
    tracker.log({"step": 10, "loss": 0.5, "dev": {"nll": 2.0}, "best": False})
    tracker.log({"step": 20, "note": "no number"})
    tracker.finish()
    tracker.finish()
    settings = {"project": "contrastive-text-learning", "name": "run-1", "dir": str(tmp_path / "run-1")}
    assert calls == [
        ("init", settings),
        ("config", {"seed": 1}),
        ("log", {"loss": 0.5, "dev/nll": 2.0}, 10),
        ("finish",),
    ]
    assert (tmp_path / "run-1").is_dir()  # wandb writes elsewhere when its folder is missing


def test_the_environment_names_another_wandb_project(tmp_path, fake_wandb, monkeypatch):
    calls = fake_wandb()
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    open_trackers(["wandb"], tmp_path, {})
    assert calls[0][1]["project"] == "mine"


def test_a_tracker_that_does_not_start_is_an_input_error_and_nothing_is_written(tmp_path, fake_wandb):
    fake_wandb(broken=True)
    with pytest.raises(InputError, match=r"^--report-to wandb does not start: No API key configured\.$"):
        open_trackers(["tensorboard", "wandb"], tmp_path / "run", {})
    assert list((tmp_path / "run").iterdir()) == []


def test_trackers_that_were_open_are_closed_when_the_next_does_not_start(tmp_path, fake_wandb):
    calls = fake_wandb()
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"^--report-to tensorboard does not start: "):
        open_trackers(["tensorboard", "wandb"], tmp_path, {})
    assert calls[-1] == ("finish",)


@pytest.mark.parametrize("name", get_args(TrackerName))
def test_a_missing_package_is_an_input_error_before_anything_is_opened(tmp_path, monkeypatch, name):
    monkeypatch.setattr("retriever.training.trackers.find_spec", lambda package: None)
    with pytest.raises(InputError) as caught:
        open_trackers([name], tmp_path / "run", {})
    assert str(caught.value) == (
        f"--report-to {name}: not installed: pip install 'contrastive-text-learning[trackers]'"
    )
    assert not (tmp_path / "run").exists()


def test_the_folder_that_wandb_writes_is_not_taken_for_wandb(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(InputError, match=r"^--report-to wandb: not installed: "):
        open_trackers(["wandb"], tmp_path / "run", {})


def test_an_unknown_tracker_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"^--report-to must be one of wandb, tensorboard, got 'mlflow'$"):
        open_trackers(["mlflow"], tmp_path, {})


def test_no_trackers_touch_nothing(tmp_path):
    assert open_trackers([], tmp_path / "run", {}) == []
    assert not (tmp_path / "run").exists()


def test_wandb_itself_works_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (tracker,) = open_trackers(["wandb"], tmp_path, {"seed": 1, "train": ["a.txt"], "dev": None})
    tracker.log({"step": 10, "loss": 0.5})
    tracker.finish()
    (record,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert record.stat().st_size > 0
