"""``ctl eval transfer`` from flags to result, on the tiny encoder."""

import builtins
import json
from pathlib import Path

import pytest

from cli.main import main

CPU = ["--device", "cpu", "--precision", "fp32"]
ANIMALS = [f"the {animal} {verb} in the {place}" for animal in ("cat", "dog", "bird") for verb in ("sat", "ran", "sings")
           for place in ("park", "tree")]  # fmt: skip
PLACES = [f"{city} is the {size} capital of {country}" for city in ("paris", "city", "tower")
          for size in ("tall", "red", "old") for country in ("france", "winter")]  # fmt: skip
ROWS = [*(f"animal\t{text}" for text in ANIMALS), *(f"place\t{text}" for text in PLACES)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in {
        "own": ROWS,
        "trec_train": ["label\ttext", *ROWS[::2]],
        "trec_test": ["label\ttext", *ROWS[1::2]],
    }.items():
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    return tmp_path / "data"


def run(*arguments: object) -> int:
    return main(["eval", "transfer", *map(str, arguments), "--folds", "3", *CPU])


def test_a_folder_of_tasks(folder, model_folder, capsys):
    assert run(folder, "--model", model_folder, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"transfer", "policy", "model", "data", "versions"}
    assert {task: values["items"] for task, values in result["transfer"].items()} == {"own": 36, "trec": 18}
    own = result["transfer"]["own"]
    assert own["accuracy_low"] <= own["accuracy"] <= own["accuracy_high"] <= 100
    assert own["accuracy"] > 80  # the two classes share hardly a word
    assert own["majority"] == 50
    policy = result["policy"]
    assert (policy["folds"], policy["seed"]) == (3, 1111)
    assert policy["protocol"] == {
        "own": "3 folds, in each 3 that choose C",
        "trec": "test split; 3 folds of train choose C",
    }
    assert [len(chosen) for chosen in policy["chosen_c"].values()] == [3, 1]
    assert result["data"]["trec"] == {split: str(folder / f"trec_{split}.tsv") for split in ("test", "train")}
    assert "scikit-learn" in result["versions"]


def test_the_table_for_people_names_the_protocol(folder, model_folder, capsys):
    assert run(folder / "trec_test.tsv", "--model", model_folder) == 0
    title, columns, row = capsys.readouterr().out.splitlines()
    assert title == "transfer"
    assert columns.split() == "task accuracy 95 % from to majority items protocol".split()
    assert row.startswith("trec ")
    assert row.endswith("18     test split; 3 folds of train choose C")


def test_all_seven_have_an_average(tmp_path, model_folder, capsys):
    for name in ("mr", "cr", "subj", "mpqa"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(ROWS) + "\n")
    for name, splits in {
        "sst2": ("train", "dev", "test"),
        "trec": ("train", "test"),
        "mrpc": ("train", "test"),
    }.items():
        (tmp_path / name).mkdir()
        for split in splits:
            (tmp_path / name / f"{split}.tsv").write_text("\n".join(ROWS) + "\n")
    assert run(tmp_path, "--model", model_folder, "--json") == 0
    tasks = json.loads(capsys.readouterr().out)["transfer"]
    average = tasks.pop("average_of_seven")
    assert average["tasks"] == len(tasks) == 7
    assert average["accuracy"] == pytest.approx(sum(each["accuracy"] for each in tasks.values()) / 7)
    assert run(tmp_path, "--model", model_folder) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["average", "of", "7"]


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("none", None, "none.tsv: no such file"),
        ("short", ["label\ttext", "a\tone", "b"], "short.tsv:3: expected 2 columns, found 1"),
        (
            "one",
            ["a\tone", "a\ttwo"],
            "task 'one': no item has a label but 'a'; a classifier needs two classes",
        ),
        (
            "few",
            [*ROWS, "third\tsnow falls"],
            "task 'few': 3 folds and 3 inside each need 5 items of each label, and 'third' has 1: leave out or merge "
            "small classes, or lower the number of folds",
        ),
    ],
)
def test_bad_data_are_refused_before_a_model_is_loaded(tmp_path, monkeypatch, capsys, name, rows, message):
    monkeypatch.chdir(tmp_path)
    if rows is not None:
        Path(f"{name}.tsv").write_text("\n".join(rows) + "\n")
    assert run(f"{name}.tsv", "--model", "no-such-model") == 2
    captured = capsys.readouterr()
    assert captured.err.endswith(f"error: {message}\n")
    assert captured.out == ""


def test_without_scikit_learn_the_extra_is_named(folder, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "sklearn":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run(folder, "--model", "no-such-model") == 2
    assert capsys.readouterr().err == (
        "error: transfer tasks need scikit-learn: pip install 'contrastive-text-learning[transfer]'\n"
    )
