import json
import logging
from pathlib import Path

import pytest

from retriever.data.metrics import read_metrics
from retriever.errors import InputError


def run_with(folder: Path, *lines: object) -> Path:
    """A run directory; text goes into its metrics as it is, anything else as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    (folder / "metrics.jsonl").write_text("".join(texts))
    return folder


def test_the_lines_of_a_step_are_one_object(tmp_path):
    run = run_with(
        tmp_path,
        {"step": 0, "dev": {"nll": 3.0}, "best": True},
        {"step": 10, "loss": 0.5},
        {"step": 10, "dev": {"nll": 2.0}, "best": True},
        "\n",
        {"step": 20, "loss": None},
    )
    assert read_metrics(run) == [
        {"step": 0, "dev": {"nll": 3.0}, "best": True},
        {"step": 10, "loss": 0.5, "dev": {"nll": 2.0}, "best": True},
        {"step": 20, "loss": None},
    ]


def test_after_a_resume_the_later_line_wins_and_what_it_replaces_is_gone(tmp_path):
    run = run_with(
        tmp_path,
        {"step": 10, "loss": 1.0},
        {"step": 20, "loss": 2.0, "alignment": 0.5},
        {"step": 30, "loss": 3.0},
        {"step": 35, "dev": {"nll": 2.0}, "best": True},
        {"step": 20, "loss": 2.5},
        {"step": 30, "loss": 3.5},
    )
    assert read_metrics(run) == [
        {"step": 10, "loss": 1.0},
        {"step": 20, "loss": 2.5, "alignment": 0.5},
        {"step": 30, "loss": 3.5},
    ]


@pytest.mark.parametrize(
    "damaged", ['{"step": 20, "lo', '{"step": 20, "lo{"step": 30, "loss": 1}\n', "\0\0\0\n"]
)
def test_a_line_that_a_kill_has_cut_is_skipped_and_counted(tmp_path, caplog, damaged):
    run = run_with(tmp_path, {"step": 10, "loss": 1.0}, damaged)
    with caplog.at_level(logging.WARNING):
        assert read_metrics(run) == [{"step": 10, "loss": 1.0}]
    assert caplog.messages == [f"{tmp_path / 'metrics.jsonl'}: 1 damaged line skipped"]


def test_lines_that_are_no_metrics_are_skipped_and_counted(tmp_path, caplog):
    lines = [
        "[]\n",
        '{"loss": 1.0}\n',
        '{"step": 1.5}\n',
        '{"step": true}\n',
        '{"step": -1}\n',
        "9" * 5000 + "\n",
    ]
    run = run_with(tmp_path, *lines, {"step": 10, "loss": 1.0})
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b"\xff\n")
    assert read_metrics(run) == [{"step": 10, "loss": 1.0}]
    assert caplog.messages == [f"{tmp_path / 'metrics.jsonl'}: 7 damaged lines skipped"]


def test_whole_files_are_read_without_a_word(tmp_path, caplog):
    read_metrics(run_with(tmp_path, {"step": 10, "loss": 1.0}))
    assert caplog.messages == []


def test_what_is_no_run_or_has_no_metrics_is_an_input_error(tmp_path):
    def message(run: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_metrics(run)
        return str(caught.value)

    assert message(tmp_path / "none") == f"{tmp_path / 'none'}: no such run directory"
    assert message(tmp_path) == (
        f"{tmp_path}: not a run directory, or nothing logged yet: no metrics.jsonl in it"
    )
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1')
    assert message(tmp_path) == f"{file}: no metrics in this run yet"
    file.write_text("")
    assert message(tmp_path) == f"{file}: no metrics in this run yet"
    file.unlink()
    file.mkdir()
    assert message(tmp_path) == f"{file}: is a folder, expected a file"
