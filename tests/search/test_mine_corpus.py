import json
import logging

import pytest

from retriever.config.mining import MineConfig
from retriever.data.dpr import read_dpr_examples
from retriever.errors import InputError
from retriever.search.mine_corpus import mine_corpus

PASSAGES = {
    "paris": "the capital of france is paris on the river",
    "lyon": "the capital of good food in france is lyon",
    "rome": "the capital of italy is rome",
    "moon": "night and bright",
    "sun": "warm summer",
    "snow": "cold winter",
    "cats": "cats sat on mats",
    "dogs": "dogs ran in parks",
}  # so many that a word in three of them still tells them apart: France ranks before Italy


@pytest.fixture
def folder(tmp_path):
    rows = [{"id": name, "text": text} for name, text in PASSAGES.items()]
    (tmp_path / "passages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def mine(folder, questions: list[dict], **settings):
    (folder / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))
    config = MineConfig(
        questions=folder / "questions.jsonl",
        passages=folder / "passages.jsonl",
        output=folder / "mined.jsonl",
        **settings,
    )
    report = mine_corpus(config)
    return report, list(read_dpr_examples(folder / "mined.jsonl"))


QUESTION = {"id": "q", "question": "what is the capital of france"}


def test_a_named_positive_is_kept_and_the_next_best_passage_is_its_hard_negative(folder):
    report, [example] = mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    assert example.query.id == "q"
    assert [each.id for each in example.positives] == ["paris"]
    assert [each.id for each in example.hard_negatives] == ["lyon"]
    assert (report.questions, report.kept, report.without_negative) == (1, 1, 0)


def test_answers_alone_find_the_positive_by_search(folder):
    _, [example] = mine(folder, [QUESTION | {"answers": ["Rome"]}], num_hard_negatives=3)
    assert [each.id for each in example.positives] == ["rome"]
    assert sorted(each.id for each in example.hard_negatives) == ["lyon", "paris"]
    assert example.answers == ("Rome",)


def test_a_question_whose_answer_is_found_nowhere_is_left_out_aloud(folder, caplog):
    caplog.set_level(logging.WARNING)
    questions = [QUESTION | {"answers": ["Oslo"]}, QUESTION | {"id": "r", "answers": ["paris"]}]
    report, [example] = mine(folder, questions, depth=10)
    assert (example.query.id, report.questions) == ("r", 1)
    assert caplog.messages == ["1 of 2 questions left out: none of their first 10 passages holds an answer"]


def test_dpr_training_data_keep_their_own_positives_and_get_new_hard_negatives(folder):
    own = {"title": "", "text": "paris it is", "passage_id": "own"}
    question = QUESTION | {"answers": ["paris"], "positive_ctxs": [own], "hard_negative_ctxs": []}
    _, [example] = mine(folder, [question])
    assert [each.id for each in example.positives] == ["own"]
    assert [each.id for each in example.hard_negatives] == ["lyon"]  # the passage on paris holds the answer


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([QUESTION], "question 'q' has neither answers nor positive_passage_id"),
        (
            [QUESTION | {"answers": ["paris"]}, QUESTION | {"id": "r", "positive_passage_id": "rome"}],
            "question 'r' names its positive passage, the first question does not",
        ),
    ],
)
def test_a_question_without_what_it_needs_is_an_input_error_and_writes_nothing(folder, questions, message):
    with pytest.raises(InputError) as error:
        mine(folder, questions)
    assert str(error.value) == f"{folder / 'questions.jsonl'}: {message}"
    assert not (folder / "mined.jsonl").exists()


def test_the_output_may_not_be_an_input(folder):
    file = folder / "passages.jsonl"
    before = file.read_text()
    with pytest.raises(InputError) as error:
        mine_corpus(MineConfig(questions=folder / "q.jsonl", passages=file, output=file))
    assert str(error.value) == f"{file}: the output is one of the inputs"
    assert file.read_text() == before


def test_the_command_prints_its_counts(folder, capsys):
    from cli.main import main

    mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    flags = [f"--{name}={folder / name}.jsonl" for name in ("questions", "passages")]
    assert main(["mine", *flags, f"--output={folder / 'again.jsonl'}", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["output"], counts["questions"], counts["kept"]) == (str(folder / "again.jsonl"), 1, 1)
    assert (folder / "again.jsonl").read_bytes() == (folder / "mined.jsonl").read_bytes()
