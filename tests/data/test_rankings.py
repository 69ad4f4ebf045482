import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.rankings import read_qrels, read_rankings, write_rankings
from retriever.errors import InputError
from retriever.records import Ranking


def write(path, content):
    path.write_bytes(content.encode())
    return path


def message_of(path, read):
    with pytest.raises(InputError) as caught:
        read(path)
    return str(caught.value).removeprefix(str(path))


QRELS = {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}}


@pytest.mark.parametrize(
    "content",
    [
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t1\n",
        "score\tquery-id\tcorpus-id\r\n2\tq1\td1\r\n0\tq1\td2\r\n1\tq2\td1\r\n",
        "q1 0 d1 2\nq1  Q0\td2 0\n\nq2 0 d1 1\nq2 0 d1 1\n",
    ],
)
def test_beir_and_trec_judgements_are_read(tmp_path, content):
    assert read_qrels(write(tmp_path / "qrels.tsv", content)) == QRELS


def test_beir_ids_may_hold_spaces(tmp_path):
    path = write(tmp_path / "qrels.tsv", "query-id\tcorpus-id\tscore\nq 1\td 1\t1\n")
    assert read_qrels(path) == {"q 1": {"d 1": 1}}


def test_trec_judgements_are_those_that_pytrec_eval_reads(tmp_path):
    content = "q1 0 d1 -1\nq2 0 d1 1\nq1 0 d2 2\n"
    path = write(tmp_path / "qrels.txt", content)
    with path.open() as file:
        assert read_qrels(path) == pytrec_eval.parse_qrel(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("query-id\tscore\nq1\t1\n", ":1: no column named 'corpus-id' (found: query-id, score)"),
        ("query-id\tcorpus-id\tscore\nq1\td1\n", ":2: expected 3 columns, found 2"),
        ("query-id\tcorpus-id\tscore\nq1\t\t1\n", ":2: the query id or the passage id is empty"),
        ("query-id\tcorpus-id\tscore\n", ": no judgements in this file"),
        ("q1 d1 1\n", ":1: expected 4 columns (query id, iteration, passage id, grade), found 3"),
        ("q1 0 d1 1\nq1 0 d2 high\n", ":2: grade must be a whole number, found 'high'"),
        (
            "q1 0 d1 -1000\nq1 0 d2 1001\n",
            ":2: grade must be at most 1000, above or below 0, found '1001'",
        ),
        ("q1 0 d1 -2147483648\n", ":1: grade must be at most 1000, above or below 0, found '-2147483648'"),
        ("q1 0 d1 1\nq1 0 d1 2\n", ":2: query 'q1' has two grades for passage 'd1': 1 and 2"),
        ("\n", ": no judgements in this file"),
        ("", ": file is empty"),
    ],
)
def test_broken_judgements_are_errors(tmp_path, content, message):
    assert message_of(write(tmp_path / "qrels.tsv", content), read_qrels) == message


def test_a_run_is_written_as_trec_reads_it(tmp_path):
    path = tmp_path / "run.txt"
    write_rankings(
        path, iter([("q1", Ranking(["d2", "d1"], [0.1 + 0.2, -1e-9])), ("q2", Ranking([], []))]), "bm25"
    )
    assert path.read_text() == "q1 Q0 d2 1 0.30000000000000004 bm25\nq1 Q0 d1 2 -1e-09 bm25\n"
    with path.open() as file:
        assert pytrec_eval.parse_run(file) == {"q1": {"d2": 0.30000000000000004, "d1": -1e-9}}


def test_runs_are_read_by_score_and_equal_scores_in_the_order_of_the_file(tmp_path):
    content = "q1 Q0 a 1 0.5 t\nq1 Q0 b 2 0.5 t\nq1 Q0 c 3 7 t\nq1 Q0 B 4 0.5 t\n\nq0 Q0 a 1 -inf t\n"
    assert list(read_rankings(write(tmp_path / "run.txt", content))) == [
        ("q1", Ranking(["c", "a", "b", "B"], [7.0, 0.5, 0.5, 0.5])),
        ("q0", Ranking(["a"], [-math.inf])),
    ]


ids = st.text(st.characters(exclude_categories=("Cs", "Z", "C")), min_size=1, max_size=5)
scored = st.dictionaries(ids, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6)


def ranked(scores):
    order = sorted(scores, key=lambda each: (scores[each], each), reverse=True)
    return Ranking(order, np.array([scores[each] for each in order]))


@given(st.dictionaries(ids, scored.map(ranked), min_size=1, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory, rankings):
    path = tmp_path_factory.mktemp("run") / "run.txt"
    write_rankings(path, iter(rankings.items()), "tag")
    assert dict(read_rankings(path)) == rankings


@pytest.mark.parametrize(
    ("query_id", "passage_id", "tag", "message"),
    [
        ("q 1", "d", "t", "query id holds white space: 'q 1'"),
        ("q", "d\u00a01", "t", "passage id holds white space: 'd\u00a01'"),
        ("q", "d", "my run", "tag holds white space: 'my run'"),
        ("q", "d", "", "tag is empty"),
        ("", "d", "t", "query id is empty"),
    ],
)
def test_what_a_run_cannot_hold_is_an_error_and_leaves_no_file(tmp_path, query_id, passage_id, tag, message):
    path = tmp_path / "run.txt"
    with pytest.raises(InputError) as caught:
        write_rankings(
            path, [("first", Ranking(["d"], [1.0])), (query_id, Ranking([passage_id], [1.0]))], tag
        )
    assert str(caught.value) == f"{path}: {message}; a TREC run separates its columns by white space"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("q1 Q0 a 1 0.5\n", ":1: expected 6 columns (query id, Q0, passage id, rank, score, tag), found 5"),
        ("q1 Q0 a 1 high t\n", ":1: score must be a number, found 'high'"),
        ("q1 Q0 a 1 nan t\n", ":1: score must be a number, found 'nan'"),
        ("q1 Q0 a 1 2 t\nq1 Q0 a 2 1 t\n", ":2: passage 'a' twice for query 'q1'"),
        ("q1 Q0 a 1 2 t\nq2 Q0 a 1 2 t\nq1 Q0 b 2 1 t\n", ":3: query 'q1' appears in two places"),
        ("\n", ": no rankings in this file"),
    ],
)
def test_broken_runs_are_errors(tmp_path, content, message):
    assert message_of(write(tmp_path / "run.txt", content), lambda path: list(read_rankings(path))) == message


def test_ranks_that_contradict_the_scores_are_told(tmp_path, caplog):
    shuffled = "q1 Q0 a 2 0.5 t\nq1 Q0 b 1 0.7 t\n"
    path = write(tmp_path / "run.txt", shuffled)
    assert dict(read_rankings(path)) == {"q1": Ranking(["b", "a"], [0.7, 0.5])}
    assert caplog.messages == []
    path = write(tmp_path / "distances.txt", shuffled + "q2 Q0 a 1 0.5 t\nq2 Q0 b 2 0.7 t\n")
    assert dict(read_rankings(path))["q2"] == Ranking(["b", "a"], [0.7, 0.5])
    assert caplog.messages == [
        f"{path}: in 1 of 2 rankings the ranks contradict the scores; the scores count, larger ones first"
    ]
