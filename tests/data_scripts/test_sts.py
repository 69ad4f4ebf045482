import io
import tarfile

import pytest
import sts
from datasets import Dataset, DatasetDict

from retriever.data.sts import read_sts_task
from retriever.errors import InputError

PARTS = {part.name: part for part in sts.PARTS}


def senteval(tmp_path, files):
    archive = tmp_path / "senteval.tar"
    with tarfile.open(archive, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            data = data if isinstance(data, bytes) else data.encode()
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive


def year(name, inputs, scores):
    folder = f"STS/{name.upper()}-en-test"
    files = {}
    for subset in sts.SUBSETS[name]:
        files[f"{folder}/STS.input.{subset}.txt"] = inputs
        files[f"{folder}/STS.gs.{subset}.txt"] = scores
    return files | {f"{folder}/STS.input.ALL.txt": "x", f"{folder}/correlation.pl": "x"}


def make(tmp_path, name, files):
    work = tmp_path / "work"
    work.mkdir()
    left_out = PARTS[name].make([senteval(tmp_path, files)], work / name)
    return work / name, left_out


@pytest.mark.parametrize("name", list(sts.SUBSETS))
def test_a_year_is_a_folder_of_subsets_and_pairs_without_score_are_counted(tmp_path, name):
    inputs = 'a "cat" .\ta  dog .\nno score\tat all\nx \u2028 y\tz\tsource\tsource\n'
    folder, left_out = make(tmp_path, name, year(name, inputs, "4.400\n\n0\n"))
    subsets = sts.SUBSETS[name]
    assert left_out == {"pairs without gold score": len(subsets)}
    task = read_sts_task(folder)
    assert sorted(task.subsets) == sorted(subsets)
    first = task.subsets[subsets[0]]
    assert [(pair.first, pair.second, pair.score) for pair in first] == [
        ('a "cat" .', "a dog .", 4.4),
        ("x y", "z", 0.0),
    ]
    assert PARTS[name].count(folder) == {"pairs": 2 * len(subsets)}


def test_pairs_and_scores_of_different_numbers_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"STS.input.FNWN.txt: 2 pairs, but 1 scores in STS.gs.FNWN.txt"):
        make(tmp_path, "sts13", year("sts13", "a\tb\nc\td\n", "1\n"))


def test_a_line_that_is_no_pair_is_named(tmp_path):
    with pytest.raises(InputError, match=r"STS.input.FNWN.txt:2: expected two sentences with a tab between"):
        make(tmp_path, "sts13", year("sts13", "a\tb\nc d\n", "1\n2\n"))


def test_a_missing_subset_is_named(tmp_path):
    files = year("sts13", "a\tb\n", "1\n")
    del files["STS/STS13-en-test/STS.gs.OnWN.txt"]
    with pytest.raises(InputError, match=r"no member 'STS/STS13-en-test/STS.gs.OnWN.txt'"):
        make(tmp_path, "sts13", files)


def test_the_benchmark_has_tabs_quotes_that_are_letters_and_further_columns(tmp_path):
    line = 'main-news\tMSRpar\t2012\t{}\t{}\ta "quote\tb, c{}\n'
    files = {
        f"STS/STSBenchmark/sts-{split}.csv": line.format(1, "5.000", "")
        + line.format(2, score, "\tlicence")
        + line.format(3, "", "")
        for split, score in (("train", "1"), ("dev", "2"), ("test", "3.5"))
    }
    folder, left_out = make(tmp_path, "stsb", files)
    assert left_out == {"pairs without gold score": 3}
    assert [pair.score for pair in read_sts_task(folder, "dev").subsets["stsb"]] == [5.0, 2.0]
    (task,) = read_sts_task(folder).subsets.values()
    assert (task[1].first, task[1].second, task[1].score) == ('a "quote', "b, c", 3.5)
    assert PARTS["stsb"].count(folder) == {"train pairs": 2, "dev pairs": 2, "test pairs": 2}


def test_sick_is_read_by_its_own_column_names(tmp_path):
    head = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\r\n"
    files = {
        name: head + "1\tA dog runs\tA cat sits\t3.2\tNEUTRAL\r\n"
        for name in ("SICK/SICK_train.txt", "SICK/SICK_trial.txt", "SICK/SICK_test_annotated.txt")
    }
    folder, left_out = make(tmp_path, "sickr", files)
    assert left_out == {}
    assert (folder / "test.tsv").read_text() == "score\tsentence1\tsentence2\n3.2\tA dog runs\tA cat sits\n"
    assert PARTS["sickr"].count(folder) == {"train pairs": 1, "dev pairs": 1, "test pairs": 1}


def test_a_data_set_of_the_hub_becomes_a_table(tmp_path, monkeypatch):
    row = {"sentence1": "a", "sentence2": "b", "extra": 1}
    rows = Dataset.from_list([row | {"score": 2.5}, row | {"score": None}])
    DatasetDict({"train": rows, "validation": rows, "test": rows}).save_to_disk(tmp_path / "hub")
    monkeypatch.chdir(tmp_path)
    names = [tmp_path.__class__(f"hf:./hub:{split}") for split in ("train", "validation", "test")]
    part = PARTS["mteb-sts12"]
    assert part.make(names[2:], tmp_path / part.output) == {"pairs without gold score": 1}
    assert (tmp_path / part.output).read_text() == "score\tsentence1\tsentence2\n2.5\ta\tb\n"
    part = PARTS["mteb-stsb"]
    assert part.make(names, tmp_path / part.output) == {"pairs without gold score": 3}
    assert part.count(tmp_path / part.output) == {"train pairs": 1, "dev pairs": 1, "test pairs": 1}
