import json
from pathlib import Path

import pytest
from matplotlib.image import imread

from cli.main import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with two runs."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        lines = [json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in (10, 20)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(lines))
    return tmp_path


def test_one_run_is_drawn_into_its_directory_and_the_path_is_printed(here, capsys):
    assert main(["plot", "a"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("a/curves.png\n", "")
    assert imread(here / "a" / "curves.png").size > 0


def test_several_runs_are_drawn_into_the_output(here, capsys):
    assert main(["plot", "a", "b", "--output", "both.png"]) == 0
    assert capsys.readouterr().out == "both.png\n"
    assert sorted(each.name for each in here.rglob("*.png")) == ["both.png"]


def test_a_metrics_file_that_a_kill_has_cut_is_drawn_and_said_so(here, capsys):
    with (here / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "lo')
    assert main(["plot", "a"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "a/curves.png\n"
    assert "a/metrics.jsonl: 1 damaged line skipped" in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plot"], "RUNS is required"),
        (["plot", "none"], "none: no such run directory"),
        (["plot", "."], ".: not a run directory, or nothing logged yet: no metrics.jsonl in it"),
        (["plot", "a", "b"], "--output is required for several runs"),
        (["plot", "a", "a", "--output", "both.png"], "a: this run is given twice"),
        (["plot", "a", "--output", "a.jpg"], "a.jpg: the picture is a PNG: its name must end in .png"),
        (["plot", "a", "--output", "none/a.png"], "none: no such folder"),
        (
            ["train-simcse", "--train", "x", "--output", "y", "--report-to", "paper"],
            "--report-to must be one of tensorboard, wandb, got 'paper'",
        ),
    ],
)
def test_wrong_use_is_one_sentence_and_writes_nothing(here, capsys, arguments, message):
    before = sorted(here.rglob("*"))
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {message}\n")
    assert sorted(here.rglob("*")) == before
