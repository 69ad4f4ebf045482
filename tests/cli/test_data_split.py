"""``ctl data split`` from the command line."""

import json

import pytest

from cli.main import main
from retriever.data.corpus import read_passages


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    for number in range(5):
        (tmp_path / "docs" / f"{number}.png").touch()
    (tmp_path / "docs" / "Makefile").touch()
    (tmp_path / "docs" / "empty.txt").touch()
    (tmp_path / "docs" / "cats.txt").write_text("word " * 205 + "end.")
    return tmp_path


def test_a_table_tells_what_was_written_and_what_was_not(docs, capsys):
    assert main(["data", "split", "docs", "--output", "out.tsv"]) == 0
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in line if cell.strip()] for line in lines] == [
        ["out.tsv"],
        ["what", "count", "files"],
        ["files read", "1"],
        ["passages", "2"],
        ["words", "206"],
        ["skipped: empty", "1", "empty.txt"],
        ["skipped: other kinds of file", "6", "5 .png, 1 no suffix"],
    ]
    assert [len(each.text.split()) for each in read_passages(docs / "out.tsv")] == [100, 106]


def test_json_names_every_file(docs, capsys):
    assert main(["data", "split", "docs", "--output", "out.jsonl", "--sentences", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": "out.jsonl",
        "files": 1,
        "passages": 2,
        "words": 206,
        "sentence_cuts": 1,
        "pages_without_text": 0,
        "skipped": {
            "no suffix": ["Makefile"],
            "empty": ["empty.txt"],
            "suffix .png": [f"{number}.png" for number in range(5)],
        },
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("docs", "--output is required"),
        ("--output out.tsv", "DOCUMENTS is required"),
        ("docs --output out.tsv --overlap 100", "--overlap must be below the number of words, 100, got 100"),
        ("docs --output out.tsv --words 0", "--words must be at least 1, got 0"),
        (
            "docs --output out.tsv --as-text rst",
            "--as-text must be a suffix with its dot, such as .rst, got 'rst'",
        ),
        ("docs/0.png --output out.tsv", "docs/0.png: no text to split: suffix .png (1)"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(docs, capsys, arguments, message):
    assert main(["data", "split", *arguments.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {message}"
    assert not (docs / "out.tsv").exists()
