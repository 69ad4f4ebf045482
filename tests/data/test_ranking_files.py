import json

import pytest

from retriever.data.answers import has_answer
from retriever.data.dpr import read_questions
from retriever.data.ranking_files import dpr_results_file, read_ranking_file
from retriever.errors import InputError
from retriever.records import Passage, Query, Question, Ranking

PASSAGES = {each.id: each for each in [Passage("a", "In 1973.", "Oil “crisis”"), Passage("b", "No date.")]}
QUESTIONS = {
    "q1": Question(Query("q1", "When?"), ("1973", "1974"), ("a",)),
    "q2": Question(Query("q2", "Où?")),
}
RANKINGS = {"q1": Ranking(["b", "a"], [0.1 + 0.2, -1e-9]), "q2": Ranking([], [])}


def written(path):
    with dpr_results_file(path, QUESTIONS, PASSAGES, has_answer) as write:
        for query_id, ranking in RANKINGS.items():
            write(query_id, ranking)
    return path


def message_of(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as error:
        list(read_ranking_file(path))
    return str(error.value).removeprefix(str(path))


def test_results_are_written_as_dpr_writes_them(tmp_path):
    first, second = json.loads(written(tmp_path / "results.json").read_text(encoding="utf-8"))
    assert first == {
        "id": "q1",
        "question": "When?",
        "answers": ["1973", "1974"],
        "ctxs": [
            {"id": "b", "title": "", "text": "No date.", "score": "0.30000000000000004", "has_answer": False},
            {"id": "a", "title": "Oil “crisis”", "text": "In 1973.", "score": "-1e-09", "has_answer": True},
        ],
    }
    assert second == {"id": "q2", "question": "Où?", "answers": [], "ctxs": []}


@pytest.mark.parametrize("name", ["results.json", "results.jsonl"])
def test_what_is_written_is_read_back(tmp_path, name):
    path = written(tmp_path / name)
    assert dict(read_ranking_file(path)) == RANKINGS
    assert [each.query for each in read_questions(path)] == [each.query for each in QUESTIONS.values()]
    assert [each.answers for each in read_questions(path)] == [each.answers for each in QUESTIONS.values()]


def test_other_names_are_trec_runs(tmp_path):
    (tmp_path / "run.txt").write_text("q1 Q0 a 1 2 t\n")
    assert dict(read_ranking_file(tmp_path / "run.txt")) == {"q1": Ranking(["a"], [2.0])}


def test_results_of_no_question_are_an_empty_array(tmp_path):
    with dpr_results_file(tmp_path / "none.json", {}, {}, has_answer):
        pass
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_a_passage_that_is_not_there_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(InputError, match="passage 'x' was found and is not in the corpus"):
        with dpr_results_file(tmp_path / "results.json", QUESTIONS, PASSAGES, has_answer) as write:
            write("q1", Ranking(["x"], [1.0]))
    assert list(tmp_path.iterdir()) == []


def hits(*pairs):
    return [{"id": id, "score": score} for id, score in pairs]


def results_of(path, *records):
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return path


def asked(*texts):
    return [Question(Query(f"q{number}", text)) for number, text in enumerate(texts)]


def test_results_without_ids_are_of_the_questions_that_read_the_same(tmp_path, caplog):
    path = results_of(
        tmp_path / "results.jsonl",
        {"question": "Où?", "ctxs": hits(("b", 1))},
        {"question": "When?", "ctxs": hits(("a", 1))},
        {"id": "other", "question": "unknown, with an id", "ctxs": []},
    )
    found = dict(read_ranking_file(path, list(QUESTIONS.values())))
    assert {id: ranking.ids for id, ranking in found.items()} == {"q2": ("b",), "q1": ("a",), "other": ()}
    assert caplog.messages == []


def test_a_question_of_results_without_ids_that_was_not_asked_is_an_error(tmp_path):
    path = results_of(tmp_path / "results.jsonl", {"question": "Who?", "ctxs": []})
    with pytest.raises(InputError) as error:
        list(read_ranking_file(path, asked("who?")))
    assert str(error.value) == f"{path}:1: the results have no ids, and 'Who?' is none of the questions"


def test_of_questions_that_read_the_same_only_the_number_tells(tmp_path):
    same = {"question": "Who?", "ctxs": []}
    path = results_of(tmp_path / "results.jsonl", same, same)
    assert list(dict(read_ranking_file(path, asked("Who?", "Who?")))) == ["q0", "q1"]
    with pytest.raises(InputError) as error:
        list(read_ranking_file(path, asked("When?", "Who?", "Who?")))
    assert str(error.value) == (
        f"{path}:1: the results have no ids, and 'Who?' is the text of questions 'q1' and 'q2'"
    )


def test_results_without_ids_and_texts_are_numbered_which_is_told_once(tmp_path, caplog):
    path = results_of(tmp_path / "results.jsonl", {"ctxs": []}, {"ctxs": []})
    assert list(dict(read_ranking_file(path, asked("Who?")))) == ["1", "2"]
    assert caplog.messages == [
        f"{path}: the question of line 1 has no id and cannot be found by its text: taken by its number"
    ]


def test_whether_scores_rise_is_one_fact_of_the_file(tmp_path, caplog):
    rising, falling = hits(("a", 1), ("b", 2)), hits(("a", 2), ("b", 1))
    records = [{"id": "one", "ctxs": hits(("a", 3))}, {"id": "same", "ctxs": hits(("a", 3), ("b", 3))}]
    path = results_of(tmp_path / "r.jsonl", *records, *({"id": n, "ctxs": rising} for n in range(2)))
    assert [each.scores.tolist() for _, each in read_ranking_file(path)] == [[3], [3, 3], [-1, -2], [-1, -2]]
    assert caplog.messages == [f"{path}: the scores rise: taken as distances"]
    for first, second, ways in ((rising, falling, "fall rise"), (falling, rising, "rise fall")):
        results_of(path, *records, {"id": 1, "ctxs": first}, {"id": 2, "ctxs": second})
        with pytest.raises(InputError) as error:
            list(read_ranking_file(path))
        one, other = ways.split()
        assert str(error.value) == f"{path}:4: the scores {one}, and those of line 3 {other}"


def test_questions_without_id_are_numbered_and_distances_are_turned_round(tmp_path):
    path = tmp_path / "results.json"
    found = [
        {"question": "x", "ctxs": hits(("a", "1.5"), ("b", 2))},
        {"question": "y", "ctxs": hits(("b", 1))},
    ]
    path.write_text(json.dumps(found))
    assert dict(read_ranking_file(path)) == {
        "1": Ranking(["a", "b"], [-1.5, -2.0]),
        "2": Ranking(["b"], [-1.0]),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"question": "x"}], ":1: no 'ctxs', the passages of DPR's results"),
        ([{"question": "x", "ctxs": [{"score": 1}]}], ":1: ctxs[0]: the passage has no id"),
        ([{"ctxs": hits(("a", "high"))}], ":1: ctxs[0]: 'score' must be a number, found 'high'"),
        ([{"ctxs": hits(("a", "nan"))}], ":1: ctxs[0]: 'score' must be a number, found 'nan'"),
        ([{"ctxs": hits(("a", None))}], ":1: ctxs[0]: 'score' must be a number, found None"),
        ([{"ctxs": hits(("a", True))}], ":1: ctxs[0]: 'score' must be a number, found True"),
        (
            [{"ctxs": hits(("a", 10**400))}],
            f":1: ctxs[0]: 'score' must be a number, found 1{39 * '0'}",
        ),
        (
            [{"ctxs": hits(("a", 3), ("b", 1), ("c", 2))}],
            ":1: the scores of the passages neither fall nor rise",
        ),
        ([{"ctxs": hits(("a", 3), ("a", 1))}], ":1: passage 'a' twice in a ranking"),
        ([{"id": 1, "ctxs": []}, {"id": 1, "ctxs": []}], ":1: query '1' has two rankings"),
        ("[]", ": no rankings in this file"),
    ],
)
def test_broken_results_are_errors(tmp_path, content, message):
    found = message_of(tmp_path / "results.json", content)
    assert found == message
