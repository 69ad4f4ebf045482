import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cli.main import main
from retriever.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]


def test_no_command_shows_help_and_is_wrong_usage(capsys):
    assert main([]) == 2
    shown = capsys.readouterr()
    assert "train-simcse" in shown.out + shown.err


def test_help_is_success(capsys):
    assert main(["--help"]) == 0
    assert "Usage: ctl [OPTIONS] COMMAND" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out in ("ctl 0.1.0\n", "ctl (a checkout that is not installed)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["index", "--shards", "3"], "No such option: --shards"),
        (["train-simcse", "--batch-size", "many"], "Invalid value for '--batch-size'"),
        (["search", "index", "--mode", "sparse"], "'sparse' is not one of 'dense', 'bm25', 'hybrid'"),
        (["info", "a", "b"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(capsys, arguments, message):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err and "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search"], "INDEX is required"),
        (["info"], "PATH is required"),
        (["mine", "--questions", "q", "--passages", "p"], "--output is required"),
        (["train-simcse", "--output", "run"], "--train is required"),
        (
            ["train-simcse", "--train", "a", "--output", "b", "--temperature", "-0.1"],
            "--temperature must be above 0, got -0.1",
        ),
        (
            ["train-dpr", "--train", "a", "--output", "b", "--batch-size", "1"],
            "--batch-size must be at least 2, got 1",
        ),
        (["search", "index", "what", "--questions", "file"], "give a question or --questions, not both"),
        (["eval", "sts", "data"], "--model is required"),
    ],
)
def test_input_errors_are_one_line_on_stderr_and_end_with_2(capsys, arguments, message):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {message}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ":1: invalid JSON: Expecting property name enclosed in double quotes"),
        ("[]", ": expected a JSON object of settings"),
        ('{"temperature": -0.1}', ": temperature must be above 0, got -0.1"),
        ('{"temperature": "hot"}', ": temperature must be a number, got 'hot'"),
        ('{"path": "x"}', None),
    ],
)
def test_errors_in_the_config_file_name_the_file(tmp_path, capsys, content, message):
    file = tmp_path / "config.json"
    file.write_text(content)
    assert main(["train-simcse", "--config", str(file)]) == 2
    shown = capsys.readouterr()
    if message is None:
        assert shown.err.startswith(f"error: {file}: unknown setting 'path' (known: ")
    else:
        assert shown.err == f"error: {file}{message}\n"


def test_a_missing_config_file_is_an_input_error(tmp_path, capsys):
    assert main(["info", "--config", str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'none.json'}: no such file\n"


def test_required_settings_may_come_from_the_file(tmp_path, capsys):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text('{"seed": 7}')
    file = tmp_path / "info.json"
    file.write_text(json.dumps({"path": str(run)}))
    assert main(["info", "--config", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"kind": "run", "path": str(run), "config": {"seed": 7}}


def app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.command()
    def fail() -> None:
        raise error

    return app


def test_an_input_error_below_a_command_is_reported_with_its_place(monkeypatch, capsys):
    error = InputError("no positive passage", path="train.jsonl", line=17)
    monkeypatch.setattr("cli.main.app", app_that_raises(error))
    assert main([]) == 2
    assert capsys.readouterr().err == "error: train.jsonl:17: no positive passage\n"


def test_a_full_disk_is_one_sentence(monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cli.info.facts_of", full)
    assert main(["info", "x"]) == 2
    assert capsys.readouterr().err == (
        "error: cannot write, the disk is full or a limit is reached: [Errno 28] No space left on device\n"
    )


def test_an_interrupt_ends_with_130(monkeypatch, capsys):
    monkeypatch.setattr("cli.main.app", app_that_raises(KeyboardInterrupt()))
    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_not_caught(monkeypatch):
    monkeypatch.setattr("cli.main.app", app_that_raises(ZeroDivisionError("bug")))
    with pytest.raises(ZeroDivisionError):
        main([])


def test_a_bug_ends_the_process_with_1_and_a_plain_traceback():
    code = (
        "import sys, typer, cli.main as m\n"
        "m.app = typer.Typer(pretty_exceptions_enable=False)\n"
        "m.app.command()(lambda: 1 / 0)\n"
        "sys.exit(m.main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last)")
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")


def test_python_m_cli_is_the_same_command_line():
    command = [sys.executable, "-m", "cli", "search"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: INDEX is required\n")


def test_a_reader_that_goes_away_is_no_error_message():
    command = [sys.executable, "-m", "cli", "train-dpr", "--help"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()  # before Python has started: every write meets a closed pipe
    errors = process.stderr.read()
    assert (process.wait(), errors) == (1, "")
    process.stderr.close()
