"""The README's Python examples run, one after the other in an empty folder, and its commands and flags exist."""

import re
from pathlib import Path

import pytest

from cli.main import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(
    r"^\| `ctl ((?:eval |data |index (?=[a-z]))?[a-z-]+) ([^`]*)`", README, flags=re.MULTILINE
)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})


def test_there_are_examples_and_commands_to_try() -> None:
    assert len(EXAMPLES) == 3
    assert len(COMMANDS) == 27


@pytest.mark.parametrize(("command", "rest"), COMMANDS)
def test_every_flag_that_the_readme_names_is_in_the_help(
    command: str, rest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0
    told = capsys.readouterr().out
    for flag in re.findall(r"(?<!\w)--?[a-z][a-z0-9-]*", rest):
        assert re.search(rf"(?<!\S){flag}(?![\w-])", told.replace(",", " ")), flag
