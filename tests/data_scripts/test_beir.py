import json
import zipfile

import beir
import pytest

from retriever.data.dpr import read_dpr_examples
from retriever.errors import InputError

PARTS = {part.name: part for part in beir.PARTS}


def files(folder):
    corpus = [{"_id": "d1", "title": "T", "text": "text"}, {"_id": "d2", "title": "", "text": "other"}]
    queries = [{"_id": "q1", "text": "what?", "metadata": {}}]
    return {
        f"{folder}/corpus.jsonl": "".join(json.dumps(each) + "\n" for each in corpus),
        f"{folder}/queries.jsonl": "".join(json.dumps(each) + "\n" for each in queries),
        f"{folder}/qrels/train.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
        f"{folder}/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\td1\t0\n",
    }


def make(tmp_path, name, members):
    archive = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for member, text in members.items():
            zipped.writestr(member, text)
    part = PARTS[name]
    part.make([archive], tmp_path / name)
    return tmp_path / name, part.count


def test_a_zip_becomes_a_folder_that_training_and_evaluation_read(tmp_path):
    members = {
        "scifact/": "",
        **files("scifact"),
        "scifact/readme.md": "hi",
        "__MACOSX/scifact/corpus.jsonl": "x",
    }
    folder, count = make(tmp_path, "scifact", members)
    assert count(folder) == {"passages": 2, "queries": 1, "judgements": 3}
    (example,) = read_dpr_examples(folder)
    assert [each.id for each in example.positives] == ["d1"]
    found = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    assert found == ["corpus.jsonl", "qrels/test.tsv", "qrels/train.tsv", "queries.jsonl"]


def test_cqadupstack_is_a_folder_of_folders(tmp_path):
    members = files("cqadupstack/android") | files("cqadupstack/gis")
    folder, count = make(tmp_path, "cqadupstack", members)
    assert sorted(each.name for each in folder.iterdir()) == ["android", "gis"]
    assert count(folder) == {"passages": 4, "queries": 2, "judgements": 6}


def test_another_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match="no corpus, queries or qrels in a folder 'fiqa' of this archive"):
        make(tmp_path, "fiqa", files("scifact"))


def test_a_set_without_judgements_or_corpus_is_refused(tmp_path):
    members = files("fiqa")
    del members["fiqa/qrels/train.tsv"], members["fiqa/qrels/test.tsv"]
    folder, count = make(tmp_path, "fiqa", members)
    with pytest.raises(InputError, match="qrels: no judgements"):
        count(folder)
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match=r"fiqa: no corpus.jsonl"):
        count(folder)
