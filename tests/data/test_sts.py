import gzip
from pathlib import Path

import pytest

from retriever.data.sts import read_sts_task
from retriever.errors import InputError
from retriever.records import SentencePair, StsTask

HEADER = "score\tsentence1\tsentence2\n"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


PAIRS = [SentencePair('A "man" is here.', "He is, here.", 3.5), SentencePair("x", "y", 0.0)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", HEADER + '3.5\tA "man"  is here. \tHe is, here.\n0\tx\ty\n'),
        (
            "a.tsv",
            'genre\tsentence2\tscore\tsentence1\nm\tHe is, here.\t3.5\tA "man" is here.\nn\ty\t0.000\tx\n',
        ),
        ("a.csv", 'score,sentence1,sentence2\n3.5,"A ""man"" is\nhere.","He is, here."\n0,x,y\n'),
        (
            "a.csv",
            'main-news\tMSRvid\t2012test\t0001\t3.5\tA "man" is here.\tHe is, here.\n'
            "main-news\theadlines\t2013\t2\t0\tx\ty\tsource\tlicence\n",
        ),
        (
            "a.jsonl",
            '{"score": 3.5, "sentence1": "A \\"man\\" is here.", "sentence2": "He is,\\u00a0here."}\n'
            '{"sentence1": "x", "sentence2": "y", "score": "0", "genre": null}\n',
        ),
    ],
)
def test_every_format_gives_the_same_pairs(tmp_path, name, content):
    assert read_sts_task(write(tmp_path / name, content)) == StsTask("a", {"a": PAIRS})


def test_pairs_without_gold_score_are_dropped(tmp_path):
    table = write(tmp_path / "a.tsv", HEADER + "\tx\ty\n \tx\t\n2\tx\ty\n")
    assert read_sts_task(table).subsets["a"] == [SentencePair("x", "y", 2.0)]
    objects = [
        '{"score": null, "sentence1": "x", "sentence2": "y"}',
        '{"score": 2, "sentence1": "x", "sentence2": "y"}',
    ]
    lines = write(tmp_path / "b.jsonl", "\n".join(objects))
    assert read_sts_task(lines).subsets["b"] == [SentencePair("x", "y", 2.0)]


@pytest.mark.parametrize(
    "dev", ["dev.tsv", "sts-dev.tsv", "trial.tsv", "SICK-validation.tsv", "stsb_dev.tsv"]
)
@pytest.mark.parametrize(
    "test", ["test.tsv", "sts-test.tsv", "SICK-test.tsv", "stsb.test.tsv", "test-00000-of-00001.tsv"]
)
def test_a_folder_with_splits_means_one_of_its_files(tmp_path, dev, test):
    for score, name in enumerate((test, dev, "train.tsv")):
        write(tmp_path / "STS" / name, f"{HEADER}{score}\tx\ty\n")
    write(tmp_path / "STS" / "README.md", "about")
    for score, split in enumerate(("test", "dev", "train")):
        assert read_sts_task(tmp_path / "STS", split) == StsTask(
            "STS", {"STS": [SentencePair("x", "y", float(score))]}
        )
    assert read_sts_task(tmp_path / "STS") == read_sts_task(tmp_path / "STS", "test")


def test_any_other_folder_has_a_subset_a_file_sorted_by_name(tmp_path):
    write(tmp_path / "STS14" / "images.tsv", HEADER + "1\tx\ty\n")
    write(tmp_path / "STS14" / "OnWN.jsonl", '{"score": 2, "sentence1": "x", "sentence2": "y"}')
    (tmp_path / "STS14" / "deft-news.tsv.gz").write_bytes(gzip.compress((HEADER + "3\tx\ty\n").encode()))
    write(tmp_path / "STS14" / ".hidden.tsv", "broken")
    write(tmp_path / "STS14" / "SOURCE.md", "about")
    task = read_sts_task(tmp_path / "STS14")
    assert task.name == "STS14"
    scores = [(name, [pair.score for pair in pairs]) for name, pairs in task.subsets.items()]
    assert scores == [("OnWN", [2.0]), ("deft-news", [3.0]), ("images", [1.0])]


def test_the_folder_has_a_name_even_as_a_dot(tmp_path, monkeypatch):
    write(tmp_path / "STS14" / "images.tsv", HEADER + "1\tx\ty\n")
    monkeypatch.chdir(tmp_path / "STS14")
    assert read_sts_task(Path()).name == "STS14"


@pytest.mark.parametrize(
    ("files", "split", "message"),
    [
        ([], "test", "no .tsv, .csv, .jsonl or .json file in this folder"),
        (["notes.md"], "test", "no .tsv, .csv, .jsonl or .json file in this folder"),
        (["train.tsv", "dev.tsv"], "test", "no test file in this folder (found: dev.tsv, train.tsv)"),
        (["test.tsv"], "dev", "no dev file in this folder (found: test.tsv)"),
        (["images.tsv"], "dev", "no dev file in this folder (found: images.tsv)"),
        (
            ["sts-test.tsv", "test.tsv"],
            "test",
            "more than one test file in this folder: sts-test.tsv, test.tsv",
        ),
        (["a.jsonl", "a.tsv"], "test", "two files are named 'a', suffixes aside"),
    ],
)
def test_folders_that_mean_no_task_are_errors(tmp_path, files, split, message):
    folder = tmp_path / "STS"
    folder.mkdir()
    for name in files:
        is_json = name.endswith("jsonl")
        write(
            folder / name,
            '{"score": 1, "sentence1": "x", "sentence2": "y"}' if is_json else HEADER + "1\tx\ty\n",
        )
    with pytest.raises(InputError) as caught:
        read_sts_task(folder, split)
    assert str(caught.value) == f"{folder}: {message}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sts.tsv", HEADER + "1\tx\ty\n2\tx\ty\n3\tx\n", ":4: expected 3 columns, found 2"),
        (
            "sts.tsv",
            "score\tsentence1\tb\n1\tx\ty\n",
            ":1: no column named 'sentence2' (found: score, sentence1, b)",
        ),
        (
            "sts.tsv",
            "3.5\tA plane is taking off from the airport.\tA plane.\n",
            ":1: no column named 'score' (found: 3.5, A plane is taking off from th..., A plane.)",
        ),
        ("sts.tsv", HEADER + "high\tx\ty\n", ":2: score must be a finite number, found 'high'"),
        ("sts.tsv", HEADER + "nan\tx\ty\n", ":2: score must be a finite number, found 'nan'"),
        ("sts.tsv", HEADER + "1e999\tx\ty\n", ":2: score must be a finite number, found '1e999'"),
        ("sts.tsv", HEADER + "1\tx\t \n", ":2: 'sentence2' is empty"),
        ("sts.tsv", HEADER + "\tx\ty\n", ": no pair with a gold score in this file"),
        ("sts.tsv", HEADER, ": no pair with a gold score in this file"),
        ("sts.csv", "g\tf\ty\ti\t1\tx\ty\ng\tf\ty\ti\t1\tx\n", ":2: expected 7 columns, found 6"),
        (
            "sts.csv",
            'score,sentence1,sentence2\n1,"x\nx",y\nbad,x,y\n',
            ":4: score must be a finite number, found 'bad'",
        ),
        ("sts.jsonl", '{"sentence1": "x", "sentence2": "y"}', ":1: no 'score'"),
        ("sts.jsonl", '{"score": 1, "sentence1": "x"}', ":1: no 'sentence2'"),
        (
            "sts.jsonl",
            '{"score": [1], "sentence1": "x", "sentence2": "y"}',
            ":1: 'score' must be a number, found a list",
        ),
        (
            "sts.jsonl",
            '{"score": true, "sentence1": "x", "sentence2": "y"}',
            ":1: 'score' must be a number, found true or false",
        ),
        (
            "sts.jsonl",
            '{"score": NaN, "sentence1": "x", "sentence2": "y"}',
            ":1: score must be a finite number, found 'nan'",
        ),
        (
            "sts.txt",
            "x",
            ": expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file of scored sentence pairs",
        ),
        ("sts.tsv", "", ": file is empty"),
    ],
)
def test_broken_sts_files_are_errors(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        read_sts_task(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError) as caught:
        read_sts_task(tmp_path / "no.tsv")
    assert str(caught.value) == f"{tmp_path / 'no.tsv'}: no such file"
