import json

import pytest

from retriever.data.question_set import QuestionSet
from retriever.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """A BEIR folder without its corpus."""
    beir = tmp_path / "small.set"
    (beir / "qrels").mkdir(parents=True)
    (beir / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "who?"}) + "\n")
    for split, grade in (("test", 1), ("dev", 2)):
        (beir / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\nq1\ta\t{grade}\n")
    return beir


def test_a_beir_folder_is_its_questions_and_the_judgements_of_a_split(folder, tmp_path):
    test, dev = (QuestionSet.read(folder, None, split) for split in ("test", "dev"))
    assert (test.name, dev.name) == ("small.set", "small.set-dev")
    assert (test.qrels, dev.qrels) == ({"q1": {"a": 1}}, {"q1": {"a": 2}})
    assert test.texts() == {"q1": "who?"}
    assert test.inputs() == {folder / "queries.jsonl", folder / "qrels" / "test.tsv"}
    own = tmp_path / "own.tsv"
    own.write_text("q1 0 b 1\n")
    assert QuestionSet.read(folder, own).qrels == {"q1": {"b": 1}}


def test_files_are_named_by_the_questions_or_else_by_the_judgements_and_those_of_a_beir_folder_by_it(
    folder, tmp_path
):
    file, qrels = folder / "queries.jsonl", folder / "qrels" / "dev.tsv"
    asked = QuestionSet.read(file, None)
    assert (asked.name, asked.qrels, asked.qrels_file) == ("queries", None, None)
    judged = QuestionSet.read(None, qrels)
    assert (judged.name, judged.questions, judged.texts()) == ("small.set-dev", None, {})
    assert QuestionSet.read(file, qrels).name == "small.set-dev"
    own = tmp_path / "own.tsv"
    own.write_text("q1 0 b 1\n")
    assert [QuestionSet.read(*files).name for files in ((None, own), (file, own))] == ["own", "queries"]


def test_with_judgements_given_a_beir_folder_needs_none_of_its_own(folder, tmp_path):
    own = (folder / "qrels" / "dev.tsv").rename(tmp_path / "own.tsv")
    (folder / "qrels" / "test.tsv").unlink()
    found = QuestionSet.read(folder, own)
    assert (found.name, found.qrels, found.texts()) == ("small.set", {"q1": {"a": 2}}, {"q1": "who?"})


def test_a_split_chooses_where_there_is_something_to_choose(folder):
    file, qrels = folder / "queries.jsonl", folder / "qrels" / "dev.tsv"
    assert QuestionSet.read(folder, qrels).name == "small.set-dev"
    for questions, judgements in ((file, None), (folder, qrels), (None, qrels)):
        with pytest.raises(InputError) as error:
            QuestionSet.read(questions, judgements, "dev")
        assert str(error.value) == (
            f"{judgements or questions}: split dev chooses qrels of a BEIR folder, and here none are taken"
        )


def test_a_split_that_is_not_there_is_refused(folder):
    with pytest.raises(InputError) as error:
        QuestionSet.read(folder, None, "train")
    assert str(error.value) == (
        f"{folder}: no qrels/train.tsv in this folder, expected a BEIR folder of queries.jsonl and qrels/train.tsv "
        "(found in qrels: dev.tsv, test.tsv)"
    )
