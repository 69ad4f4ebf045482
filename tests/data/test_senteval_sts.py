import logging

import pytest

from retriever.data.sts import read_sts_suite, read_sts_task, task_sha256
from retriever.errors import InputError
from retriever.records import SentencePair, StsTask


def write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


STS12 = {
    "STS.input.MSRpar.txt": "a  b\tc\nd\te\tsource\n",
    "STS.gs.MSRpar.txt": "1.5\n\n",
    "STS.input.OnWN.txt": "x\ty\n",
    "STS.gs.OnWN.txt": "4\n",
    "readme.txt": "about",
}
SICK = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n1\ta\tb\t3.3\tNEUTRAL\n"


def test_pairs_and_scores_in_two_files_are_a_subset(tmp_path, caplog):
    folder = write(tmp_path / "STS12-en-test", STS12)
    with caplog.at_level(logging.INFO):
        task = read_sts_task(folder)
    assert task == StsTask(
        "STS12-en-test", {"MSRpar": [SentencePair("a b", "c", 1.5)], "OnWN": [SentencePair("x", "y", 4.0)]}
    )
    assert caplog.messages == [
        f"{folder / 'STS.input.MSRpar.txt'}: 1 pairs without gold score left out, 1 kept"
    ]


def test_sick_has_column_names_of_its_own(tmp_path):
    files = {
        "SICK_train.txt": SICK,
        "SICK_trial.txt": SICK.replace("3.3", "2"),
        "SICK_test_annotated.txt": SICK,
    }
    folder = write(tmp_path / "SICK", files)
    assert read_sts_task(folder).subsets["SICK"] == [SentencePair("a", "b", 3.3)]
    assert read_sts_task(folder, "dev").subsets["SICK"] == [SentencePair("a", "b", 2.0)]
    assert read_sts_task(folder / "SICK_train.txt").subsets["SICK_train"] == [SentencePair("a", "b", 3.3)]


def test_a_folder_of_folders_stands_for_their_tasks(tmp_path):
    write(tmp_path / "STS" / "STS12-en-test", STS12)
    write(tmp_path / "STS" / "mine", {"a.tsv": "score\tsentence1\tsentence2\n1\tx\ty\n"})
    tasks = read_sts_suite([tmp_path / "STS"])
    assert [task.name for task in tasks.values()] == ["STS12-en-test", "mine"]
    with pytest.raises(InputError) as error:
        read_sts_suite([tmp_path / "STS", tmp_path / "STS" / "mine"])
    assert str(error.value) == (
        f"{tmp_path / 'STS' / 'mine'}: two of the data sets are called 'mine'; evaluate them one by one"
    )


def test_the_hash_is_of_the_pairs_whatever_the_format(tmp_path):
    senteval = read_sts_task(write(tmp_path / "a" / "STS12", STS12))
    ours = {
        "MSRpar.tsv": "score\tsentence1\tsentence2\n1.5\ta b\tc\n",
        "OnWN.tsv": "sentence2\tsentence1\tscore\ny\tx\t4\n",
    }
    same = read_sts_task(write(tmp_path / "b" / "STS12", ours))
    other = read_sts_task(write(tmp_path / "c" / "STS12", {**STS12, "STS.gs.OnWN.txt": "4.5\n"}))
    assert task_sha256(senteval) == task_sha256(same) != task_sha256(other)


@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        ({"STS.input.x.txt": "a\tb\n"}, "STS.input.x.txt", "no STS.gs.x.txt, the scores, beside this file"),
        (
            {"STS.input.x.txt": "a\tb\nc\td\n", "STS.gs.x.txt": "1\n"},
            "STS.input.x.txt",
            "2 pairs, but 1 scores in STS.gs.x.txt",
        ),
        (
            {"STS.input.x.txt": "a b\n", "STS.gs.x.txt": "1\n"},
            "STS.input.x.txt:1",
            "expected two sentences with a tab between them",
        ),
        (
            {"STS.input.x.txt": "a\tb\n", "STS.gs.x.txt": "high\n"},
            "STS.input.x.txt:1",
            "score must be a finite number, found 'high'",
        ),
    ],
)
def test_broken_folders_are_errors(tmp_path, files, name, message):
    folder = write(tmp_path / "STS", files)
    with pytest.raises(InputError) as error:
        read_sts_task(folder)
    assert str(error.value) == f"{folder / name}: {message}"
