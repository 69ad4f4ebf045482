import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from retriever.data import answers as matching
from retriever.errors import InputError
from retriever.evaluation.judges import QRELS_METRICS
from retriever.evaluation.policy import RetrievalPolicy
from retriever.evaluation.ranking import Metric, score_rankings
from retriever.evaluation.retrieval import evaluate_rankings, evaluate_retrieval
from retriever.records import Passage, Query, Question, Ranking

CORPUS = {
    each.id: each
    for each in [
        Passage("a", "The embargo began in October 1973.", "Oil"),
        Passage("b", "The price was $12.", "October 1973"),
        Passage("c", "Octobers were cold; 1973 too."),
        Passage("d", "War ended in october, 1974."),
    ]
}


class TableSearcher:
    """Ranks the passages that a table names for each question text."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table
        self.calls: list[list[str]] = []

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        self.calls.append(list(queries))
        found = [self.table[query][:k] for query in queries]
        return [Ranking(ids, [-float(rank) for rank in range(len(ids))]) for ids in found]


def question(id: str, answers: Sequence[str] = (), positive_ids: Sequence[str] = ()) -> Question:
    return Question(Query(id, f"{id}?"), tuple(answers), tuple(positive_ids))


SEARCHER = TableSearcher({"q1?": "dcba", "q2?": "ba", "q3?": ""})


def test_gold_passages_by_hand() -> None:
    questions = [
        question("q1", positive_ids="a"),
        question("q2", positive_ids="xb"),
        question("q3", positive_ids="a"),
    ]
    result = evaluate_retrieval(SEARCHER, questions)
    assert result.judged_by == "gold passage"
    assert result.question_ids == ("q1", "q2", "q3")
    assert {name: values.tolist() for name, values in result.per_query.items()} == {
        "accuracy@1": [0, 1, 0],
        "accuracy@5": [1, 1, 0],
        "accuracy@20": [1, 1, 0],
        "accuracy@100": [1, 1, 0],
        "mrr@10": [0.25, 1, 0],
    }
    assert result.metrics == pytest.approx(
        {
            "accuracy@1": 1 / 3,
            "accuracy@5": 2 / 3,
            "accuracy@20": 2 / 3,
            "accuracy@100": 2 / 3,
            "mrr@10": 1.25 / 3,
        }
    )


def test_answers_are_looked_for_in_the_text_and_as_whole_tokens() -> None:
    questions = [
        question("q1", ["October 1973"]),
        question("q2", ["nothing", "$12"]),
        question("q3", ["war"]),
    ]
    result = evaluate_retrieval(SEARCHER, questions, passages=CORPUS)
    assert result.judged_by == "answer string"
    # q1: d says october 1974, c Octobers and 1973 apart, a has it
    assert {name: values.tolist() for name, values in result.per_query.items()} == {
        "accuracy@1": [0, 1, 0],
        "accuracy@5": [1, 1, 0],
        "accuracy@20": [1, 1, 0],
        "accuracy@100": [1, 1, 0],
    }


def test_an_answer_in_the_title_only_does_not_count() -> None:
    result = evaluate_retrieval(SEARCHER, [question("q2", ["October 1973"])], passages=CORPUS)
    assert result.metrics["accuracy@1"] == 0  # b: its title is the answer
    assert result.metrics["accuracy@5"] == 1  # a


def test_gold_passages_and_answers_are_both_reported() -> None:
    questions = [question("q1", ["War"], "a"), question("q2", ["October 1973"], "b")]
    result = evaluate_retrieval(SEARCHER, questions, passages=CORPUS, k=1)
    assert result.judged_by == "gold passage, answer string"
    assert {name: values.tolist() for name, values in result.per_query.items()} == {
        "accuracy@1": [0, 1],
        "answer_accuracy@1": [1, 0],
    }


def test_answers_without_passages_do_not_hinder_gold_passages() -> None:
    assert evaluate_retrieval(SEARCHER, [question("q1", ["War"], "a")]).judged_by == "gold passage"


def test_qrels_judge_before_anything_else() -> None:
    qrels = {"q1": {"a": 2, "c": 1, "d": 0}, "q2": {"d": 1}, "q3": {"a": 0}}
    questions = [question(id, ["War"], "b") for id in ("q1", "q2", "q3")]
    searcher = TableSearcher(SEARCHER.table)
    result = evaluate_retrieval(searcher, questions, qrels=qrels, passages=CORPUS)
    rankings = [list(each.ids) for each in SEARCHER.search(["q1?", "q2?"], 100)]
    metrics = [Metric.parse(name) for name in QRELS_METRICS]
    values = score_rankings(rankings, [qrels["q1"], qrels["q2"]], metrics)
    assert result.judged_by == "qrels"
    assert searcher.calls == [["q1?", "q2?"]]  # q3 has no relevant passage
    assert result.question_ids == ("q1", "q2")
    assert result.metrics == pytest.approx(dict(zip(QRELS_METRICS, values.mean(0), strict=True)))
    assert list(result.metrics) == list(QRELS_METRICS)
    assert result.counts["unjudged_questions"] == 1


def test_metrics_beyond_the_depth_are_left_out() -> None:
    result = evaluate_retrieval(SEARCHER, [question("q1")], qrels={"q1": {"a": 1}}, k=10)
    assert list(result.metrics) == ["ndcg@10", "mrr@10", "map", "accuracy@1", "accuracy@5"]


def test_intervals_hold_the_means_and_are_repeatable() -> None:
    questions = [question(str(number), positive_ids="a") for number in range(100)]
    searcher = TableSearcher({f"{number}?": "a" if number < 60 else "b" for number in range(100)})
    first, second = (evaluate_retrieval(searcher, questions) for _ in range(2))
    assert first.intervals == second.intervals
    low, high = first.intervals["accuracy@1"]
    assert (low, high) == pytest.approx((0.6 - 1.96 * 0.049, 0.6 + 1.96 * 0.049), abs=0.02)  # binomial


def test_rankings_are_handed_out_and_progress_is_told_in_batches() -> None:
    handed: list[tuple[str, tuple[str, ...]]] = []
    done: list[int] = []
    searcher = TableSearcher(SEARCHER.table)
    evaluate_retrieval(
        searcher,
        [question(id, positive_ids="a") for id in ("q1", "q2", "q3")],
        k=2,
        batch_size=2,
        on_ranking=lambda id, ranking: handed.append((id, ranking.ids)),
        progress=lambda total, label: nullcontext(done.append),
    )
    assert handed == [("q1", ("d", "c")), ("q2", ("b", "a")), ("q3", ())]
    assert done == [2, 1]
    assert searcher.calls == [["q1?", "q2?"], ["q3?"]]


def test_what_was_counted_is_told_by_name() -> None:
    result = evaluate_retrieval(SEARCHER, [question("q2", positive_ids="b")], k=4)
    assert result.counts == {
        "questions_without_ranking": 0,
        "rankings_of_other_queries": 0,
        "self_hits": 0,
        "rankings_with_ties": 0,
    }
    assert result.per_query["accuracy@1"].dtype == np.float64


def test_gold_passages_that_the_corpus_lacks_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = evaluate_retrieval(
            SEARCHER,
            [question("q1", positive_ids="xa"), question("q2", positive_ids="x")],
            passages=CORPUS,
            k=4,
        )
    assert caplog.messages == [
        "2 of 3 relevant passages are not in the corpus, all of those of 1 of 2 questions"
    ]
    assert result.counts["relevant_not_in_corpus"] == 2


def test_judged_queries_that_are_not_asked_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = evaluate_retrieval(
            SEARCHER, [question("q1")], qrels={"q1": {"a": 1}, "q9": {"a": 1}, "q8": {"a": 0}}, k=4
        )
    assert result.counts["judged_queries_not_asked"] == 1
    assert caplog.messages == ["1 of 2 judged queries are not among the questions"]


@pytest.mark.parametrize(
    ("questions", "settings", "message"),
    [
        ([], {}, "no questions to evaluate"),
        ([question("q1", "a"), question("q1", "a")], {}, "question id 'q1' occurs twice"),
        (
            [question("q1", ["War"]), question("q2")],
            {"passages": CORPUS},
            "question 'q2' has neither answers nor a positive passage id, and there are no qrels",
        ),
        (
            [question("q1", ["War"]), question("q2", positive_ids="a")],
            {"passages": CORPUS},
            "question 'q1' has no positive passage id and question 'q2' no answers: "
            "all questions must be judged in one way",
        ),
        ([question("q1", ["War"])], {}, "judging by answers needs the passages"),
        (
            [question("q1")],
            {"qrels": {"q2": {"a": 1}, "q1": {"a": 0}}},
            "the qrels name no relevant passage for any of the questions",
        ),
        (
            [question("q1", ["1974"])],
            {"passages": {"a": CORPUS["a"]}},
            "passage 'd', ranked for question 'q1', is not in the corpus",
        ),
    ],
)
def test_questions_that_cannot_be_judged_are_refused(
    questions: list[Question], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        evaluate_retrieval(SEARCHER, questions, **settings)
    assert str(error.value) == message


QRELS = {"q1": {"a": 2, "c": 1}, "q2": {"b": 1}, "q4": {"d": 0}}


def ranking(ids: str, scores: Sequence[float] | None = None) -> Ranking:
    return Ranking(ids, [-float(rank) for rank in range(len(ids))] if scores is None else scores)


def test_rankings_from_elsewhere_are_judged_as_a_search_is() -> None:
    questions = [question("q1", ["1973"], "a"), question("q2", ["$12"], "b")]
    for settings in ({"qrels": QRELS}, {}):
        searched = evaluate_retrieval(SEARCHER, questions, passages=CORPUS, k=4, **settings)  # type: ignore[arg-type]
        rankings = [("q2", ranking("ba")), ("q1", ranking("dcba"))]
        read = evaluate_rankings(iter(rankings), questions=questions, passages=CORPUS, k=4, **settings)  # type: ignore[arg-type]
        assert (searched.metrics, searched.intervals, searched.counts) == (
            read.metrics,
            read.intervals,
            read.counts,
        )
        assert {name: values.tolist() for name, values in read.per_query.items()} == {
            name: values.tolist() for name, values in searched.per_query.items()
        }


def test_who_counts_among_rankings_from_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    qrels = {**QRELS, "q3": {"a": 1}}
    rankings = [("q1", ranking("a")), ("q4", ranking("d")), ("q9", ranking("d")), ("q2", ranking(""))]
    with caplog.at_level(logging.WARNING):
        result = evaluate_rankings(rankings, qrels=qrels, metrics=["mrr"])
    assert result.question_ids == ("q1", "q2", "q3")
    assert result.per_query["mrr"].tolist() == [1, 0, 0]
    assert result.counts == {
        "unjudged_questions": 1,
        "judged_queries_not_asked": 0,
        "questions_without_ranking": 1,
        "rankings_of_other_queries": 2,
        "self_hits": 0,
        "rankings_with_ties": 0,
        "unjudged_hits": 0,
    }
    assert caplog.messages == [
        "1 of 3 judged queries have no ranking: they count as 0",
        "2 rankings are of queries that are not judged: left out",
    ]


def test_equal_scores_stay_as_they_are_ranked_or_are_sorted_as_trec_eval_does() -> None:
    for scores in ([1.0, 1.0], [1 + 1e-12, 1.0]):  # trec_eval holds scores in single precision
        tied = [("q1", ranking("ac", scores))]
        qrels = {"q1": {"a": 1}}
        assert evaluate_rankings(tied, qrels=qrels, metrics=["mrr"]).metrics == {"mrr": 1}
        policy = RetrievalPolicy(ties="trec_eval")
        assert evaluate_rankings(tied, qrels=qrels, metrics=["mrr"], policy=policy).metrics == {"mrr": 0.5}


def test_ties_are_sorted_before_the_ranking_is_cut() -> None:
    policy, tied = RetrievalPolicy(ties="trec_eval"), [("q1", ranking("abc", [1, 1, 1]))]
    found = evaluate_rankings(tied, qrels={"q1": {"c": 1}}, metrics=["mrr"], k=1, policy=policy)
    assert found.metrics == {"mrr": 1}


def test_unjudged_passages_count_as_not_relevant_or_not_at_all() -> None:
    rankings, qrels = [("q1", ranking("xyba"))], {"q1": {"a": 1, "b": 0}}
    assert evaluate_rankings(rankings, qrels=qrels, metrics=["mrr"]).metrics == {"mrr": 1 / 4}
    policy = RetrievalPolicy(unjudged="left_out")
    assert evaluate_rankings(rankings, qrels=qrels, metrics=["mrr"], policy=policy).metrics == {"mrr": 1 / 2}


def test_unjudged_passages_are_left_out_before_the_ranking_is_cut() -> None:
    rankings, qrels = [("q1", ranking("xyba"))], {"q1": {"a": 1, "b": 0}}
    policy = RetrievalPolicy(unjudged="left_out")
    names = ["mrr", "accuracy@1", "recall@2", "precision@2"]
    found = evaluate_rankings(rankings, qrels=qrels, metrics=names, k=2, policy=policy)
    assert found.metrics == {"mrr": 1 / 2, "accuracy@1": 0, "recall@2": 1, "precision@2": 1 / 2}
    assert found.counts["unjudged_hits"] == 2
    searched = evaluate_retrieval(
        TableSearcher({"q1?": "xyba"}), [question("q1")], qrels=qrels, metrics=["mrr"], k=3, policy=policy
    )
    assert searched.metrics == {"mrr": 0}  # a search finds k, which may be fewer that are judged
    assert searched.counts["unjudged_hits"] == 2


def test_ties_and_unjudged_hits_are_counted_within_k() -> None:
    rankings = [("q1", ranking("xac", [2, 1, 1])), ("q2", ranking("ab", [1, 1]))]
    for k, ties, unjudged in ((None, 2, 2), (2, 1, 2), (1, 0, 2)):
        counts = evaluate_rankings(rankings, qrels=QRELS, metrics=["mrr"], k=k).counts
        assert (counts["rankings_with_ties"], counts["unjudged_hits"]) == (ties, unjudged)


def test_a_search_is_cut_to_k_before_ties_are_ordered() -> None:
    class Tied(TableSearcher):
        def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
            return [Ranking(each.ids, [1.0] * len(each)) for each in super().search(queries, k)]

    handed: list[tuple[str, ...]] = []
    result = evaluate_retrieval(
        Tied({"q?": "abc"}),
        [question("q", positive_ids="b")],
        metrics=["mrr"],
        k=2,
        policy=RetrievalPolicy(ties="trec_eval", self_hits="drop"),
        on_ranking=lambda id, ranking: handed.append(ranking.ids),
    )
    assert result.metrics == {"mrr": 1}  # c, the third, has no place before b
    assert handed == [("a", "b")]


def test_own_passages_count_within_k_only() -> None:
    rankings, qrels = [("a", ranking("cba"))], {"a": {"b": 1}}
    for k, own in ((None, 1), (3, 1), (2, 0)):
        assert evaluate_rankings(rankings, qrels=qrels, metrics=["mrr"], k=k).counts["self_hits"] == own


def test_where_own_passages_are_dropped_so_are_their_judgements() -> None:
    policy = RetrievalPolicy(self_hits="drop")
    qrels = {"a": {"a": 1, "b": 1}, "c": {"c": 2}, "d": {"b": 1}}
    rankings = [("a", ranking("ab")), ("c", ranking("cb")), ("d", ranking("b"))]
    found = evaluate_rankings(rankings, qrels=qrels, metrics=["recall@2"], policy=policy)
    assert found.question_ids == ("a", "d")
    assert found.metrics == {"recall@2": 1}
    assert (found.counts["self_judgements"], found.counts["unjudged_questions"]) == (2, 1)
    assert qrels["a"] == {"a": 1, "b": 1}
    questions = [question(each, ["x"], list(grades)) for each, grades in qrels.items()]
    found = evaluate_rankings(rankings, questions=questions, metrics=["recall@2"], policy=policy)
    assert (found.question_ids, found.metrics) == (("a", "d"), {"recall@2": 1})
    assert (found.counts["self_judgements"], found.counts["unjudged_questions"]) == (2, 1)
    with pytest.raises(InputError, match="no question has a gold passage with another id than its own"):
        evaluate_rankings(rankings, questions=[question("c", (), "c")], policy=policy)


def test_patterns_that_take_too_long_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "PATTERN_SECONDS", 0.05)
    monkeypatch.setattr(matching, "_stopped", set())
    pattern, corpus = r"(a+)+(\1x)+$", {"a": Passage("a", "a" * 5000 + "!"), "b": Passage("b", "ax")}
    questions = [question("q1", [pattern, "!"]), question("q2", [pattern])]
    found = evaluate_rankings(
        [("q1", ranking("ba")), ("q2", ranking("ab"))],
        questions=questions,
        passages=corpus,
        metrics=["mrr"],
        policy=RetrievalPolicy(answer_match="regex"),
    )
    assert found.per_query["mrr"].tolist() == [1 / 2, 0]
    assert found.counts["answer_patterns_stopped"] == 1


def test_a_passage_with_the_questions_id_is_told_or_left_out(caplog: pytest.LogCaptureFixture) -> None:
    rankings, qrels = [("a", ranking("ab"))], {"a": {"b": 1}}
    with caplog.at_level(logging.WARNING):
        kept = evaluate_rankings(rankings, qrels=qrels, metrics=["mrr"])
        dropped = evaluate_rankings(
            rankings, qrels=qrels, metrics=["mrr"], policy=RetrievalPolicy(self_hits="drop")
        )
    assert (kept.metrics, dropped.metrics) == ({"mrr": 1 / 2}, {"mrr": 1})
    assert kept.counts["self_hits"] == dropped.counts["self_hits"] == 1
    assert caplog.messages == [
        "1 rankings hold a passage with the query's own id, which counts as any other; BEIR leaves it out: --self-hits drop"
    ]


def test_a_search_goes_one_deeper_where_the_question_itself_is_dropped() -> None:
    handed: list[tuple[str, ...]] = []
    searcher = TableSearcher({"a?": "abcd", "b?": "acdb"})
    evaluate_retrieval(
        searcher,
        [question("a", positive_ids="c"), question("b", positive_ids="c")],
        k=2,
        policy=RetrievalPolicy(self_hits="drop"),
        on_ranking=lambda id, ranking: handed.append(ranking.ids),
    )
    assert handed == [("b", "c"), ("a", "c")]


def test_metrics_are_those_asked_for_at_any_cut_off() -> None:
    result = evaluate_retrieval(SEARCHER, [question("q1")], qrels=QRELS, metrics=["ndcg@3", "recall@2"], k=3)
    assert list(result.metrics) == ["ndcg@3", "recall@2"]
    both = evaluate_retrieval(
        SEARCHER,
        [question("q1", ["1973"], "a")],
        passages=CORPUS,
        metrics=["accuracy@3", "recall@2", "mrr@4"],
        k=4,
    )
    assert {name: values.tolist() for name, values in both.per_query.items()} == {
        "accuracy@3": [0],
        "recall@2": [0],
        "mrr@4": [1 / 4],
        "answer_accuracy@3": [1],
        "answer_mrr@4": [1 / 2],
    }
    gold = evaluate_retrieval(
        SEARCHER, [question("q1", ["1973"], "a")], passages=CORPUS, metrics=["map"], k=4
    )
    assert (gold.judged_by, list(gold.metrics)) == ("gold passage", ["map"])


def test_answers_may_be_regular_expressions() -> None:
    policy = RetrievalPolicy(answer_match="regex")
    questions = [question("q1", [r"october,? 19\d4"]), question("q2", ["^the (embargo|war)"])]
    result = evaluate_retrieval(SEARCHER, questions, passages=CORPUS, policy=policy)
    assert result.judged_by == "answer regex"
    assert result.per_query["accuracy@1"].tolist() == [1, 0]
    assert result.per_query["accuracy@5"].tolist() == [1, 1]


def test_a_depth_that_no_ranking_has_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        evaluate_retrieval(SEARCHER, [question("q1")], qrels=QRELS, k=50)
    assert caplog.messages[-1] == (
        "50 passages were asked for and no ranking has more than 4 (all of the corpus, or all that shares a word): "
        "what metrics look at beyond these counts as not found"
    )


def test_answers_without_a_token_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = evaluate_retrieval(
            SEARCHER, [question("q1", [" "]), question("q2", ["$12", ""])], passages=CORPUS, k=1
        )
    assert result.metrics == {"accuracy@1": 0.5}
    assert caplog.messages == ["1 of 2 questions have empty answers only: found nowhere"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "nothing judges the rankings: give qrels, or questions with positive ids or answers"),
        ({"qrels": {"q1": {"a": 0}}}, "the qrels name no relevant passage"),
        (
            {"qrels": {"q8": {"a": 1}}},
            "no ranking is of a query that is judged: are they ids of another set?",
        ),
        (
            {"qrels": {"q1": {"x": 1, "y": 2, "a": 0}}, "passages": CORPUS},
            "none of the 2 relevant passages is in the corpus: are they ids of another one?",
        ),
        (
            {"qrels": QRELS, "metrics": ["map", "recall@1000"], "k": 100},
            "recall@1000 looks deeper than the 100 passages of a ranking that count: raise k",
        ),
        ({"qrels": QRELS, "metrics": ["map", "map"]}, "a metric is asked for twice: map, map"),
        (
            {"questions": [question("q1", ["War"])], "passages": CORPUS, "metrics": ["mrr@5", "ndcg@10"]},
            "ndcg@10 needs all relevant passages, and the questions have answers only: known of them are accuracy@k, "
            "success@k, mrr@k",
        ),
        (
            {"questions": [question("q1", [], "a")], "policy": RetrievalPolicy(unjudged="left_out")},
            "unjudged passages can be left out with qrels only: nothing else judges any as not relevant",
        ),
        (
            {
                "questions": [question("q1", ["(open"])],
                "passages": CORPUS,
                "policy": RetrievalPolicy(answer_match="regex"),
            },
            "question 'q1': answer '(open' is no regular expression: missing ) at position 5",
        ),
    ],
)
def test_rankings_that_cannot_be_judged_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        evaluate_rankings([("q1", ranking("dcba"))], **settings)
    assert str(error.value) == message


def test_two_rankings_of_a_query_are_refused() -> None:
    with pytest.raises(InputError) as error:
        evaluate_rankings([("q1", ranking("a")), ("q1", ranking("b"))], qrels=QRELS)
    assert str(error.value) == "query 'q1' has two rankings"
