"""``ctl data check`` from flags to exit code."""

import json

import pytest

from cli.main import main

GOOD = "the cat sat\nthe dog ran\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "twice.txt").write_text(GOOD + GOOD)
    (tmp_path / "bad.tsv").write_text("sent0\tsent1\na\tb\nc\t\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("good.txt --fail-on warning", 0),
        ("twice.txt", 0),
        ("twice.txt --fail-on warning", 3),
        ("twice.txt --fail-on never", 0),
        ("good.txt twice.txt --fail-on warning", 3),
        ("bad.tsv", 3),
        ("bad.tsv --fail-on never", 0),
        ("none.txt", 2),
        ("good.txt --kind dpr", 2),
    ],
)
def test_the_exit_code_says_whether_something_was_found(here, arguments, code, capsys):
    assert main(["data", "check", *arguments.split()]) == code


def test_people_see_what_where_and_what_to_do(here, capsys):
    assert main(["data", "check", "bad.tsv"]) == 3
    assert capsys.readouterr().out == (
        "simcse data, rows that can be trained on: 1; findings: 1\n"
        "severity  finding  count  of      share\n"
        "error     refused  1      2 rows  0.5000\n"
        "\n"
        "error: refused: 1 of 2 rows cannot be trained on.\n"
        "  bad.tsv:3: 'sent1' is empty\n"
        "  → Mend or remove them: training stops at the first.\n"
    )


def test_good_data_are_called_so(here, capsys):
    assert main(["data", "check", "good.txt"]) == 0
    assert capsys.readouterr().out == "simcse data, rows that can be trained on: 2; findings: 0\n"


def test_programs_get_one_object(here, capsys):
    assert main(["data", "check", "twice.txt", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["rows"]) == ("simcse", 4)
    first = found["findings"][0]
    assert (first["name"], first["severity"], first["count"], first["total"], first["share"]) == (
        "same_row",
        "warning",
        2,
        4,
        0.5,
    )
    assert first["examples"] == [
        {"place": f"twice.txt:{n}", "text": f"{text} (first in twice.txt:{n - 2})"}
        for n, text in ((3, "the cat sat"), (4, "the dog ran"))
    ]


def test_the_help_names_the_exit_code(capsys):
    assert main(["data", "check", "--help"]) == 0
    assert "exit code 3" in capsys.readouterr().out.lower()
