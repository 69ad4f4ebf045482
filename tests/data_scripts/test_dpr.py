import gzip
import json

import dpr
import pytest

from retriever.data.dpr import read_dpr_examples
from retriever.errors import InputError

PARTS = {part.name: part for part in dpr.PARTS}


def context(number):
    return {"title": f"T{number}", "text": f"text {number}", "score": 1000, "passage_id": str(number)}


QUESTIONS = [
    {
        "dataset": "nq_train_psgs_w100",
        "question": "who is first",
        "answers": ["Ada"],
        "positive_ctxs": [context(1)],
        "negative_ctxs": [context(2)],
        "hard_negative_ctxs": [context(3), context(4)],
    },
    {
        "question": "who is lost – nobody",
        "answers": ["Bob"],
        "positive_ctxs": [],
        "negative_ctxs": [],
        "hard_negative_ctxs": [],
    },
    {
        "question": "where is café",
        "answers": [],
        "positive_ctxs": [context(5)],
        "negative_ctxs": [],
        "hard_negative_ctxs": [],
    },
]


def make(tmp_path, questions):
    raw = tmp_path / "biencoder-nq-train.json.gz"
    raw.write_bytes(gzip.compress(json.dumps(questions, indent=4).encode()))
    target = tmp_path / "nq-train.jsonl.gz"
    part = PARTS["nq-train"]
    return target, part.make([raw], target), part.count


def test_questions_without_positive_are_left_out_and_counted_and_the_others_are_as_they_were(tmp_path):
    target, left_out, count = make(tmp_path, QUESTIONS)
    assert left_out == {"questions without a positive passage": 1}
    with gzip.open(target, "rt", encoding="utf-8") as lines:
        assert [json.loads(line) for line in lines] == [QUESTIONS[0], QUESTIONS[2]]
    assert count(target) == {"questions": 2, "positives": 2, "hard negatives": 2}
    first, _ = read_dpr_examples(target)
    assert [each.id for each in first.hard_negatives] == ["3", "4"]


def test_equal_questions_give_equal_bytes(tmp_path):
    first, _, _ = make(tmp_path, QUESTIONS)
    before = first.read_bytes()
    second, left_out, _ = make(tmp_path, QUESTIONS[:1] + QUESTIONS[2:])
    assert (second.read_bytes(), left_out) == (before, {})


def test_a_truncated_file_leaves_nothing(tmp_path):
    raw = tmp_path / "raw.json.gz"
    raw.write_bytes(gzip.compress(json.dumps(QUESTIONS * 100).encode())[:-50])
    with pytest.raises(InputError, match="not a complete gzip file"):
        PARTS["nq-train"].make([raw], tmp_path / "nq-train.jsonl.gz")
    assert [each.name for each in tmp_path.iterdir()] == ["raw.json.gz"]


def test_questions_with_answers_are_read_as_they_come(tmp_path):
    file = tmp_path / "nq-test.qa.csv"
    file.write_text('who is first\t[\'Ada\', "O\'Neill"]\n"the ""best"" song"\t[\'x\']\n')
    assert PARTS["nq-test-qa"].count(file) == {"questions": 2}
    zipped = tmp_path / "trivia-test.qa.csv.gz"
    zipped.write_bytes(gzip.compress(file.read_bytes()))
    assert PARTS["trivia-test-qa"].count(zipped) == {"questions": 2}


def test_wikipedia_is_read_compressed(tmp_path):
    file = tmp_path / "psgs_w100.tsv.gz"
    file.write_bytes(gzip.compress(b'id\ttext\ttitle\n1\t"Aaron ""the"" man"\tAaron\n2\tB\t"B ""b"""\n'))
    assert PARTS["psgs_w100"].count(file) == {"passages": 2}


def test_addresses_are_those_of_dpr_s_own_list():
    urls = {
        name: part.sources[0].url.removeprefix("https://dl.fbaipublicfiles.com/dpr/")
        for name, part in PARTS.items()
    }
    assert urls["psgs_w100"] == "wikipedia_split/psgs_w100.tsv.gz"
    assert urls["nq-adv-hn-train"] == "data/retriever/biencoder-nq-adv-hn-train.json.gz"
    assert urls["webq-dev"] == "data/retriever/biencoder-webquestions-dev.json.gz"
    assert urls["webq-test-qa"] == "data/retriever/webquestions-test.qa.csv"
    assert urls["trivia-dev-qa"] == "data/retriever/trivia-dev.qa.csv.gz"
    assert urls["curatedtrec-test-qa"] == "data/retriever/curatedtrec-test.qa.csv"
    assert len(urls) == 21
