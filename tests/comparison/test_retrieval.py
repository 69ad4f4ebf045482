"""Our retrieval metrics beside pytrec_eval on whole dicts and sentence-transformers' evaluator, on the same inputs."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.rankings import read_rankings
from retriever.evaluation.policy import RetrievalPolicy
from retriever.evaluation.retrieval import evaluate_rankings, evaluate_retrieval
from retriever.records import Query, Question, Ranking

NAMES = {
    "accuracy@1": "success_1",
    "accuracy@5": "success_5",
    "ndcg@3": "ndcg_cut_3",
    "ndcg@10": "ndcg_cut_10",
    "ndcg": "ndcg",
    "recall@5": "recall_5",
    "precision@5": "P_5",
    "precision@20": "P_20",
    "map@3": "map_cut_3",
    "map": "map",
    "mrr": "recip_rank",
}
MEASURES = {"success.1,5", "ndcg_cut.3,10", "ndcg", "recall.5", "P.5,20", "map_cut.3", "map", "recip_rank"}
PASSAGES = [f"p{number}" for number in range(15)]

judgements = st.dictionaries(st.sampled_from(PASSAGES), st.integers(-1, 3), min_size=1)
found_scores = st.dictionaries(
    st.sampled_from(PASSAGES), st.sampled_from([0.0, 0.5, 0.5 + 1e-12, 1.0, 1e300]), min_size=1
)


def ranking_of(scores):
    order = sorted(scores, key=lambda each: -scores[each])
    return Ranking(order, [scores[each] for each in order])


@given(st.lists(st.tuples(judgements, found_scores), min_size=1, max_size=4), st.booleans())
def test_values_equal_trec_evals_by_its_own_rule_for_ties(cases, condensed):
    qrels = {f"q{row}": {**grades, "p0": 2} for row, (grades, _) in enumerate(cases)}
    run = {f"q{row}": scores for row, (_, scores) in enumerate(cases)}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, MEASURES, judged_docs_only_flag=condensed)
    expected = evaluator.evaluate(run)
    policy = RetrievalPolicy(ties="trec_eval", unjudged="left_out" if condensed else "not_relevant")
    rankings = ((query, ranking_of(scores)) for query, scores in run.items())
    result = evaluate_rankings(rankings, qrels=qrels, metrics=list(NAMES), policy=policy)
    for row, query in enumerate(result.question_ids):
        ours = {name: values[row] for name, values in result.per_query.items()}
        assert ours == pytest.approx({name: expected[query][NAMES[name]] for name in NAMES}, abs=1e-9)


def test_a_run_scores_the_same_as_with_pytrec_evals_own_reader(tmp_path):
    draws = np.random.default_rng(0)
    qrels = {
        f"q{row}": {f"p{draws.integers(60)}": int(draws.integers(1, 4)) for _ in range(5)}
        for row in range(40)
    }
    lines = [
        f"q{row} Q0 p{passage} {rank} {score:.2f} run"
        for row in range(40)
        for rank, (passage, score) in enumerate(
            zip(draws.permutation(60)[:50], -np.sort(-draws.random(50)), strict=True)
        )
    ]
    path = tmp_path / "run.trec"
    path.write_text("\n".join(lines) + "\n")
    with path.open() as file:
        expected = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(pytrec_eval.parse_run(file))
    policy = RetrievalPolicy(ties="trec_eval")
    result = evaluate_rankings(read_rankings(path), qrels=qrels, metrics=list(NAMES), policy=policy)
    means = {name: np.mean([each[trec] for each in expected.values()]) for name, trec in NAMES.items()}
    assert result.metrics == pytest.approx(means, abs=1e-9)


class DotSearcher:
    """Exact search over made embeddings, found by text."""

    def __init__(self, embeddings, passages):
        self.embeddings, self.passages = embeddings, passages

    def search(self, queries, k):
        scores = np.array([self.embeddings[each] for each in queries]) @ self.passages.T
        order = np.argsort(-scores, axis=1)[:, :k]
        return [
            Ranking([f"p{each}" for each in row], own[row]) for row, own in zip(order, scores, strict=True)
        ]


def test_a_search_scores_the_same_as_in_sentence_transformers():
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    draws = np.random.default_rng(1)
    texts = [f"question {row}" for row in range(30)]
    embeddings = {text: draws.normal(size=8) for text in texts}
    passages = draws.normal(size=(80, 8))
    relevant = {
        f"q{row}": {f"p{each}" for each in draws.choice(80, size=4, replace=False)} for row in range(30)
    }
    queries = {f"q{row}": text for row, text in enumerate(texts)}
    peer = InformationRetrievalEvaluator(
        queries,
        {f"p{row}": f"passage {row}" for row in range(80)},
        relevant,
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[1, 5],
        precision_recall_at_k=[5],
        map_at_k=[80],
    )
    scores = np.array([embeddings[text] for text in texts]) @ passages.T
    hits = [
        [{"corpus_id": f"p{row}", "score": float(score)} for row, score in enumerate(own)] for own in scores
    ]
    expected = peer.compute_metrics(hits)
    result = evaluate_retrieval(
        DotSearcher(embeddings, passages),
        [Question(Query(id, text)) for id, text in queries.items()],
        qrels={id: dict.fromkeys(each, 1) for id, each in relevant.items()},
        metrics=["ndcg@10", "mrr@10", "map", "accuracy@1", "accuracy@5", "recall@5", "precision@5"],
        k=80,
    )
    assert result.metrics == pytest.approx(
        {
            "ndcg@10": expected["ndcg@k"][10],
            "mrr@10": expected["mrr@k"][10],
            "map": expected["map@k"][80],
            "accuracy@1": expected["accuracy@k"][1],
            "accuracy@5": expected["accuracy@k"][5],
            "recall@5": expected["recall@k"][5],
            "precision@5": expected["precision@k"][5],
        },
        abs=1e-9,
    )
