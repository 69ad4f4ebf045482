import subprocess
import sys

import numpy as np
import pytest

from retriever.errors import InputError
from retriever.evaluation.ranking import MEASURES, WHOLE, Metric, score_rankings

GRADES = {"a": 3, "b": 1, "c": 1, "y": 0}


def scores(rankings, grades, names):
    metrics = [Metric.parse(name) for name in names]
    values = score_rankings(rankings, grades, metrics)
    assert values.shape == (len(rankings), len(names))
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


def test_values_by_hand():
    names = [
        "accuracy@1",
        "accuracy@2",
        "success@2",
        "recall@2",
        "precision@4",
        "mrr@1",
        "mrr@2",
        "mrr@3",
        "mrr",
    ]
    (values,) = scores([["x", "b", "y", "a"]], [GRADES], [*names, "ndcg@4", "ndcg@2", "ndcg", "map@2", "map"])
    gain, ideal = 1 / np.log2(3) + 3 / np.log2(5), 3 + 1 / np.log2(3) + 1 / 2
    assert values == pytest.approx(
        {
            "accuracy@1": 0,
            "accuracy@2": 1,
            "success@2": 1,
            "recall@2": 1 / 3,
            "precision@4": 1 / 2,
            "mrr@1": 0,
            "mrr@2": 1 / 2,
            "mrr@3": 1 / 2,
            "mrr": 1 / 2,
            "ndcg@4": gain / ideal,
            "ndcg@2": (1 / np.log2(3)) / (3 + 1 / np.log2(3)),
            "ndcg": gain / ideal,
            "map@2": (1 / 2) / 3,
            "map": (1 / 2 + 2 / 4) / 3,
        }
    )


def test_the_reciprocal_rank_ends_at_its_cut_off_exactly():
    ids = [f"p{row}" for row in range(200)]
    for rank in (1, 3, 7, 49, 93, 107, 200):  # 1 / 49 and others are no round numbers
        relevant = {f"p{rank - 1}": 1}
        for cutoff in (rank - 1, rank, rank + 1):
            if cutoff:
                (values,) = scores([ids], [relevant], [f"mrr@{cutoff}"])
                assert values[f"mrr@{cutoff}"] == (1 / rank if rank <= cutoff else 0)


def test_precision_is_of_k_also_where_fewer_were_found():
    assert scores([["a"]], [GRADES], ["precision@20"]) == [{"precision@20": 1 / 20}]


def test_rankings_of_nothing_and_grades_of_nothing_score_0():
    names = ["ndcg@10", "map", "mrr@10"]
    found = scores([[], ["a"], ["a"], ["a"]], [GRADES, {}, {"a": 0}, {"a": -1, "b": 0}], names)
    assert found == [dict.fromkeys(names, 0.0)] * 4
    assert scores([], [], names) == []


def test_grades_below_0_alone_score_0_and_do_not_end_the_process():
    code = (
        "from retriever.evaluation.ranking import Metric, score_rankings\n"
        "grades = [{'a': 1}, {'a': -2}, {'a': -1, 'b': -1000}]\n"
        "print(score_rankings([['a']] * 3, grades, [Metric.parse('map')]).tolist())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "[[1.0], [0.0], [0.0]]\n"), found.stderr


def test_rankings_of_one_call_are_judged_by_their_own_grades():
    assert scores([["a", "b"], ["a", "b"]], [{"a": 1}, {"b": 1}], ["mrr"]) == [{"mrr": 1.0}, {"mrr": 0.5}]


def test_ids_that_c_code_cannot_take_are_judged_as_others_are():
    names, odd = ["mrr", "recall@2"], ["a\0x", "a\0y", "\ud800", "é"]
    for relevant in odd:
        (values,) = scores([odd], [{relevant: 1, "\udfff": 1}], names)
        rank = odd.index(relevant) + 1
        assert values == {"mrr": 1 / rank, "recall@2": 0.5 if rank <= 2 else 0}


@pytest.mark.parametrize("grade", [1001, -1001, 2**31, -(2**63)])
def test_grades_that_trec_eval_cannot_count_are_a_mistake(grade):
    with pytest.raises(ValueError, match="a grade is beyond 1000, which trec_eval cannot count"):
        scores([["a"]], [{"a": 1, "b": grade}], ["map"])
    assert scores([["a"]], [{"a": 1000, "b": -1000}], ["map"]) == [{"map": 1.0}]


@pytest.mark.parametrize(
    "name",
    ["hits@5", "accuracy", "ndcg@0", "ndcg@-1", "ndcg@1.5", "ndcg@1_0", "NDCG@10", "ndcg@", "recall@²", ""],
)
def test_an_unknown_metric_is_refused(name):
    with pytest.raises(InputError) as error:
        Metric.parse(name)
    assert str(error.value) == (
        f"unknown metric '{name}' (known: accuracy@k, success@k, ndcg@k, recall@k, mrr@k, precision@k, map@k, "
        "ndcg, mrr, map, with k a whole number from 1)"
    )


def test_every_metric_is_one_of_trec_evals():
    names = [*(f"{kind}@7" for kind in MEASURES), *WHOLE]
    (values,) = scores([["a", "b", "c"]], [{"a": 1, "b": 1, "c": 1}], names)
    assert values == {**dict.fromkeys(names, 1.0), "precision@7": pytest.approx(3 / 7)}


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytrec_eval", None)
    with pytest.raises(InputError) as error:
        scores([["a"]], [GRADES], ["map"])
    assert str(error.value) == (
        "rankings are judged by pytrec_eval, which is not installed: pip install pytrec-eval-terrier"
    )
