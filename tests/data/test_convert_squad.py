"""SQuAD's answers, what is counted, and what a long file does."""

import json

import pytest

from retriever.data.formats import squad
from tests.data.converting import dpr_question, lines, message_of, objects_of, run, write


def row(answers, **more):
    return {"context": "In Paris.", "question": "where?", "answers": answers, **more}


def asked_of(path):
    (article,) = json.loads(path.read_text())["data"]
    return article["paragraphs"][0]["qas"]


@pytest.mark.parametrize("starts", [{}, {"answer_start": []}, {"answer_start": None}, {"answer_start": [3]}])
def test_answers_without_places_are_answers(tmp_path, starts):
    path = write(tmp_path / "rows.jsonl", lines(row({"text": ["Paris"], **starts})))
    _, report = run(path, "squad", tmp_path / "out.json")
    (asked,) = asked_of(tmp_path / "out.json")
    assert asked["answers"] == [{"text": "Paris", "answer_start": 3}] and not asked["is_impossible"]
    assert not report.dropped
    run(path, "dpr", tmp_path / "out.jsonl")
    (example,) = objects_of(tmp_path / "out.jsonl")
    assert [each["text"] for each in example["positive_ctxs"]] == ["In Paris."]


@pytest.mark.parametrize(
    ("answers", "more", "message"),
    [
        (
            {"text": ["Paris"], "answer_start": 3},
            {},
            "answers: 'answer_start' must be a list of numbers, found a number",
        ),
        (
            {"text": ["Paris", "In"], "answer_start": [3]},
            {},
            "answers: expected 2 numbers in 'answer_start', found 1",
        ),
        (
            {"text": ["Paris"], "answer_start": ["3"]},
            {},
            "'answer_start' must be a whole number, found a string",
        ),
        (
            [{"text": "Paris", "answer_start": 3.5}],
            {},
            "'answer_start' must be a whole number, found a number",
        ),
        ([], {"is_impossible": "no"}, "'is_impossible' must be true or false, found a string"),
    ],
)
def test_places_and_marks_that_are_wrong_are_errors(tmp_path, answers, more, message):
    path = write(tmp_path / "rows.jsonl", lines(row(answers, **more)))
    assert message_of(path, "dpr", tmp_path / "out.jsonl") == f"{path}:1: {message}"


def test_what_is_said_of_a_question_wins_over_the_lack_of_answers(tmp_path):
    rows = [row([], is_impossible=False), row([], is_impossible=None), row([], is_impossible=True)]
    path = write(tmp_path / "rows.jsonl", lines(*rows))
    _, report = run(path, "dpr", tmp_path / "out.jsonl")
    assert [each["id"] for each in objects_of(tmp_path / "out.jsonl")] == ["1"]
    assert report.dropped["questions without a positive passage"] == 2


def test_every_member_that_is_not_read_is_counted(tmp_path):
    paragraph = {"context": "In Paris.", "id": 7, "qas": [{"question": "where?", "id": "1", "answers": []}]}
    article = {"title": "T", "url": "x", "paragraphs": [paragraph]}
    path = write(tmp_path / "s.json", json.dumps({"version": "2", "licence": "free", "data": [article]}))
    _, report = run(path, "ctl", tmp_path / "out")
    assert report.dropped == {
        "'licence' of the file": 1,
        "'url' of articles": 1,
        "'id' of paragraphs": 1,
        "hard negatives": 1,
    }


@pytest.mark.parametrize("from_", [None, "squad"])
def test_the_articles_are_found_wherever_they_stand(tmp_path, from_):
    paragraph = {
        "context": "In Paris.",
        "qas": [{"question": "where?", "id": "1", "answers": [{"text": "Paris"}]}],
    }
    article = {"title": "T", "paragraphs": [paragraph]}
    path = write(tmp_path / "s.json", json.dumps({"name": "x", "about": {"by": ["y"]}, "data": [article]}))
    name, report = run(path, "qa-csv", tmp_path / "out.csv", from_=from_)
    assert (name, report.written["questions"]) == ("squad", 1)
    row = {
        "id": "1",
        "context": 'its "data": [1]',
        "title": "",
        "question": "what?",
        "answers": {"text": ["data"]},
    }
    path = write(tmp_path / "rows.json", json.dumps(row))
    name, report = run(path, "qa-csv", tmp_path / "rows.csv", from_=from_)
    assert (name, report.written["questions"]) == ("squad", 1)


def test_further_questions_of_a_paragraph_are_no_repeated_passages(tmp_path):
    path = write(tmp_path / "rows.jsonl", lines(row(["x"][:0]), row([])))
    _, report = run(path, "ctl", tmp_path / "out")
    assert report.read["passages"] == 1
    assert report.dropped == {"hard negatives": 2}


def test_an_article_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(squad, "_MOST_PARAGRAPHS", 2)

    def question(number, title):
        passage = {"title": title, "text": f"Ada {number}.", "passage_id": f"p{number}"}
        return dpr_question(positive_ctxs=[passage])

    rows = [question(number, "") for number in (1, 1, 2)] + [question(number, "T") for number in (3, 4, 5)]
    run(write(tmp_path / "q.jsonl", lines(*rows)), "squad", tmp_path / "out.json")
    articles = json.loads((tmp_path / "out.json").read_text())["data"]
    assert [
        (each["title"], [(one["context"], len(one["qas"])) for one in each["paragraphs"]])
        for each in articles
    ] == [
        ("", [("Ada 1.", 2)]),
        ("", [("Ada 2.", 1)]),
        ("T", [("Ada 3.", 1), ("Ada 4.", 1)]),
        ("T", [("Ada 5.", 1)]),
    ]
