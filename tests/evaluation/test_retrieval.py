import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from retriever.errors import InputError
from retriever.evaluation.ranking import mean_metrics, ranking_metrics
from retriever.evaluation.retrieval import QRELS_METRICS, evaluate_retrieval
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
    rankings = zip(["q1", "q2"], SEARCHER.search(["q1?", "q2?"], 100), strict=True)
    assert result.judged_by == "qrels"
    assert searcher.calls == [["q1?", "q2?"]]  # q3 has no relevant passage
    assert result.question_ids == ("q1", "q2")
    assert result.metrics == pytest.approx(mean_metrics(ranking_metrics(rankings, qrels, QRELS_METRICS)))
    assert list(result.metrics) == list(QRELS_METRICS)


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


def test_the_result_is_plain_json() -> None:
    result = evaluate_retrieval(SEARCHER, [question("q2", positive_ids="b")], k=4)
    assert json.loads(json.dumps(result.to_json())) == {
        "judged_by": "gold passage",
        "k": 4,
        "questions": 1,
        "metrics": {"accuracy@1": 1.0},
        "intervals": {"accuracy@1": [1.0, 1.0]},
    }
    assert result.per_query["accuracy@1"].dtype == np.float64


def test_gold_passages_that_the_corpus_lacks_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        evaluate_retrieval(
            SEARCHER, [question("q1", positive_ids="xa"), question("q2", positive_ids="x")], passages=CORPUS
        )
    assert caplog.messages == ["1 of 2 questions have no positive passage in the corpus"]


def test_judged_queries_that_are_not_asked_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        evaluate_retrieval(SEARCHER, [question("q1")], qrels={"q1": {"a": 1}, "q9": {"a": 1}, "q8": {"a": 0}})
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
            "the search found passage 'd', which is not in the corpus",
        ),
    ],
)
def test_questions_that_cannot_be_judged_are_refused(
    questions: list[Question], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        evaluate_retrieval(SEARCHER, questions, **settings)
    assert str(error.value) == message
