"""``ctl eval transfer`` from flags to result, on the tiny encoder."""

import builtins
import json
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from cli.main import main
from retriever.encoding.encoder import Encoder
from retriever.evaluation.items import read_items, read_texts
from retriever.evaluation.results import read_results

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
    trec = result["data"]["trec"]
    assert trec["files"] == {split: str(folder / f"trec_{split}.tsv") for split in ("test", "train")}
    assert len(trec["sha256"]) == 64
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
    assert capsys.readouterr().out.splitlines()[-1].startswith("average_of_seven  ")
    output = tmp_path / "results"
    one_by_one = [tmp_path / "trec", *sorted(tmp_path.glob("*.tsv")), tmp_path / "sst2", tmp_path / "mrpc"]
    for task in one_by_one:
        assert run(task, "--model", model_folder, "--output", output, "--json") == 0
        told = json.loads(capsys.readouterr().out)["transfer"]
        assert ("average_of_seven" in told) == (task == one_by_one[-1])
    assert told["average_of_seven"] == pytest.approx(average)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("none", None, "none.tsv: no such file"),
        ("short", ["label\ttext", "a\tone", "b"], "short.tsv:3: expected 2 columns, found 1"),
        (
            "one",
            ["a\tone", "a\ttwo"],
            "one.tsv: task 'one': no item has a label but 'a'; a classifier needs two classes",
        ),
        (
            "few",
            [*ROWS, "third\tsnow falls"],
            "few.tsv: task 'few': 3 folds and 3 inside each need 5 items of each label, and 'third' has 1: leave out or merge "
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


def test_a_task_of_several_files_is_refused_with_their_folder(folder, capsys):
    (folder / "trec_train.tsv").write_text("label\ttext\nanimal\tthe cat\n")
    (folder / "cr_train.tsv").write_text("\n".join(["label\ttext", *ROWS]) + "\n")
    (folder / "cr_test.tsv").write_text("\n".join(["label\ttext", *ROWS]) + "\n")
    assert run(folder, "--model", "no-such-model") == 2
    message = "task 'trec': no item has a label but 'animal'; a classifier needs two classes"
    assert capsys.readouterr().err.endswith(f"\nerror: {folder}: {message}\n")


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


@pytest.fixture
def encoded(monkeypatch) -> list[str]:
    """Every text that the encoder is given."""
    texts: list[str] = []
    real = Encoder.encode

    def encode(self, given, *rest, **more):
        texts.extend(given)
        return real(self, given, *rest, **more)

    monkeypatch.setattr(Encoder, "encode", encode)
    return texts


def test_a_suite_encodes_each_distinct_text_once(folder, model_folder, encoded, tmp_path):
    pairs = [f"{number % 2}\t{ANIMALS[number]}\t{PLACES[number]}" for number in range(18)]
    (folder / "pairs.tsv").write_text("\n".join(["label\tsentence1\tsentence2", *pairs]) + "\n")
    assert run(folder, "--model", model_folder) == 0
    assert sorted(encoded) == sorted({*ANIMALS, *PLACES})  # three tasks have each of them
    encoded.clear()
    assert run(folder, "--model", model_folder, "--output", tmp_path / "results") == 0
    assert sorted(encoded) == sorted({*ANIMALS, *PLACES})


def test_what_the_folder_has_is_not_computed_again(folder, model_folder, encoded, tmp_path, capsys):
    output, flags = tmp_path / "results", ["--model", model_folder, "--json"]
    assert run(folder / "own.tsv", *flags, "--output", output) == 0
    encoded.clear()
    assert run(folder, *flags, "--output", output) == 0
    assert sorted(encoded) == sorted({*ANIMALS, *PLACES})  # of trec alone
    whole = json.loads(capsys.readouterr().out.splitlines()[-1])
    encoded.clear()
    assert run(folder, *flags, "--output", output) == 0
    assert (encoded, json.loads(capsys.readouterr().out)) == ([], whole)
    assert run(folder, *flags) == 0
    assert json.loads(capsys.readouterr().out) == whole
    assert run(folder, *flags, "--output", output, "--seed", "5") == 2
    assert capsys.readouterr().err.endswith(
        f"error: {output}: transfer/own is there with another policy (seed): choose another --output, or --replace it\n"
    )
    assert run(folder, *flags, "--output", output, "--seed", "5", "--replace") == 0


def test_items_are_the_test_texts_and_their_mean_is_the_accuracy(folder, model_folder, tmp_path):
    output = tmp_path / "results"
    assert run(folder, "--model", model_folder, "--output", output) == 0
    results = read_results(output)
    for task, split, first in (("own", "all", ROWS[0]), ("trec", "test", ROWS[1])):
        items = read_items(output, results, "transfer", task)
        assert items.ids[0] == f"{split}:1"
        assert items.values["accuracy"].mean() == pytest.approx(results["transfer"][task]["accuracy"])
        assert read_texts(output, "transfer", task, [f"{split}:1"]) == {
            f"{split}:1": first.partition("\t")[2]
        }


def test_two_models_are_compared_text_by_text(folder, model_folder, plain_folder, tmp_path, capsys):
    outputs = [tmp_path / "a", tmp_path / "b"]
    for output, model in zip(outputs, (model_folder, plain_folder), strict=True):
        pooling = ["--pooling", "cls"] if model == plain_folder else []
        assert run(folder, "--model", model, "--output", output, *pooling) == 0
    capsys.readouterr()
    assert main(["compare", *map(str, outputs), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows


def test_scikit_learn_used_directly_gives_the_same_accuracy(folder, model_folder, capsys):
    """A task with a test split, written down plainly."""
    assert run(folder / "trec_test.tsv", "--model", model_folder, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    (c,) = found["policy"]["chosen_c"]["trec"]
    model = Encoder.load(model_folder, device="cpu", precision="fp32")
    parts = [[row.split("\t") for row in ROWS[start::2]] for start in (0, 1)]
    (train_labels, train), (test_labels, test) = (zip(*part, strict=True) for part in parts)
    fitted = LogisticRegression(C=c, max_iter=1000, tol=1e-6).fit(model.encode(train), train_labels)
    accuracy = 100 * fitted.score(model.encode(test), test_labels)
    assert found["transfer"]["trec"]["accuracy"] == pytest.approx(accuracy)
