from collections.abc import Iterator

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from retriever.errors import InputError
from retriever.evaluation.ranking import mean_metrics, ranking_metrics
from retriever.records import Qrels, Ranking

TREC_NAMES = {
    "accuracy@1": "success_1",
    "accuracy@5": "success_5",
    "ndcg@3": "ndcg_cut_3",
    "ndcg@10": "ndcg_cut_10",
    "recall@5": "recall_5",
    "precision@5": "P_5",
    "precision@20": "P_20",
    "map": "map",
}
TREC_MEASURES = {"success.1,5", "ndcg_cut.3,10", "recall.5", "P.5,20", "map", "recip_rank"}
PASSAGES = [f"p{number}" for number in range(15)]


def ranking_of(*ids: str) -> Ranking:
    return Ranking(ids, [-float(rank) for rank in range(len(ids))])


judgements = st.dictionaries(st.sampled_from(PASSAGES), st.integers(-1, 3), min_size=1)
rankings = st.tuples(st.permutations(PASSAGES), st.integers(1, 15)).map(
    lambda each: ranking_of(*each[0][: each[1]])
)


@given(st.lists(st.tuples(judgements, rankings), min_size=1, max_size=4))
def test_values_equal_trec_evals(cases: list[tuple[dict[str, int], Ranking]]) -> None:
    qrels = {f"q{row}": {**grades, "p0": 2} for row, (grades, _) in enumerate(cases)}
    found = {f"q{row}": ranking for row, (_, ranking) in enumerate(cases)}
    run = {query: {hit.id: hit.score for hit in ranking} for query, ranking in found.items()}
    expected = pytrec_eval.RelevanceEvaluator(qrels, TREC_MEASURES).evaluate(run)
    values = ranking_metrics(found.items(), qrels, [*TREC_NAMES, "mrr@15"])
    assert list(values) == list(qrels)
    for query, ours in values.items():
        trec = {name: expected[query][trec_name] for name, trec_name in TREC_NAMES.items()}
        assert ours == pytest.approx({**trec, "mrr@15": expected[query]["recip_rank"]}, abs=1e-9)


def test_values_by_hand() -> None:
    values = ranking_metrics(
        [("q", ranking_of("x", "b", "y", "a"))],
        {"q": {"a": 3, "b": 1, "c": 1, "y": 0}},
        ["accuracy@1", "accuracy@2", "recall@2", "precision@4", "mrr@1", "mrr@3", "ndcg@4", "map"],
    )["q"]
    gain, ideal = 1 / np.log2(3) + 3 / np.log2(5), 3 + 1 / np.log2(3) + 1 / 2
    assert values == pytest.approx(
        {
            "accuracy@1": 0,
            "accuracy@2": 1,
            "recall@2": 1 / 3,
            "precision@4": 1 / 2,
            "mrr@1": 0,
            "mrr@3": 1 / 2,
            "ndcg@4": gain / ideal,
            "map": (1 / 2 + 2 / 4) / 3,
        }
    )


def test_the_order_of_the_ranking_counts_where_scores_are_equal() -> None:
    tied = Ranking(["z", "a"], [1.0, 1.0])
    assert ranking_metrics([("q", tied)], {"q": {"z": 1}}, ["mrr@2"]) == {"q": {"mrr@2": 1.0}}
    assert ranking_metrics([("q", tied)], {"q": {"a": 1}}, ["mrr@2"]) == {"q": {"mrr@2": 0.5}}


def test_who_is_counted() -> None:
    qrels: Qrels = {
        "found": {"a": 1},
        "not searched": {"a": 1},
        "nothing found": {"a": 1},
        "nothing relevant": {"a": 0},
    }
    rankings = [(query, ranking_of("a")) for query in ("found", "nothing relevant", "not judged")]
    values = ranking_metrics([*rankings, ("nothing found", ranking_of())], qrels, ["accuracy@1", "map"])
    zeros = {"accuracy@1": 0.0, "map": 0.0}
    assert values == {"found": {"accuracy@1": 1, "map": 1}, "not searched": zeros, "nothing found": zeros}
    assert mean_metrics(values) == pytest.approx({"accuracy@1": 1 / 3, "map": 1 / 3})


def test_the_mean_over_no_queries_has_no_metrics() -> None:
    assert mean_metrics({}) == {}


def test_rankings_are_read_once() -> None:
    def stream() -> Iterator[tuple[str, Ranking]]:
        yield "q", ranking_of("b", "a")

    values = ranking_metrics(stream(), {"q": {"a": 1}}, ["mrr@10"])
    assert values == {"q": {"mrr@10": 0.5}}


@pytest.mark.parametrize(
    "name", ["hits@5", "ndcg", "ndcg@0", "ndcg@-1", "ndcg@1.5", "map@10", "NDCG@10", "ndcg@", ""]
)
def test_an_unknown_metric_is_refused(name: str) -> None:
    with pytest.raises(InputError) as error:
        ranking_metrics([], {"q": {"a": 1}}, ["map", name])
    assert str(error.value) == (
        f"unknown metric '{name}' (known: accuracy@k, ndcg@k, recall@k, mrr@k, precision@k, map, "
        "with k a whole number from 1)"
    )


def test_two_rankings_of_a_query_are_refused() -> None:
    with pytest.raises(InputError) as error:
        ranking_metrics([("q", ranking_of("a")), ("q", ranking_of("b"))], {"q": {"a": 1}}, ["map"])
    assert str(error.value) == "query 'q' has two rankings"


@pytest.mark.parametrize("qrels", [{}, {"q": {"a": 0, "b": -1}}])
def test_qrels_without_a_relevant_passage_are_refused(qrels: Qrels) -> None:
    with pytest.raises(InputError) as error:
        ranking_metrics([("q", ranking_of("a"))], qrels, ["map"])
    assert str(error.value) == "the qrels name no relevant passage"
