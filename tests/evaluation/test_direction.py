import numpy as np
import pytest

from retriever.evaluation.average_rank import evaluate_ranks
from retriever.evaluation.direction import larger_is_better, with_direction
from retriever.evaluation.embedding_space import MEANINGS
from retriever.evaluation.judges import GOLD_METRICS, QRELS_METRICS
from retriever.evaluation.sts import CORRELATIONS


def test_of_each_measure_of_geometry_it_is_what_its_meaning_says() -> None:
    said = {
        name: False if meaning.startswith("smaller is better") else None for name, meaning in MEANINGS.items()
    }
    assert {name: larger_is_better(name) for name in MEANINGS} == said


def test_more_is_better_of_correlations_accuracies_and_metrics_of_rankings() -> None:
    names = [*CORRELATIONS, *QRELS_METRICS, *GOLD_METRICS, "answer_accuracy@20", "accuracy", "ndcg"]
    assert all(larger_is_better(each) for each in names)


def test_every_value_of_a_question_against_the_dev_pool_has_a_direction() -> None:
    _, values = evaluate_ranks(
        np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), [[0], [1]], temperature=1
    )
    assert {name for name in values if larger_is_better(name) is False} == {"average_rank", "nll"}
    assert all(larger_is_better(name) is not None for name in values)


@pytest.mark.parametrize(
    "name", ["queries", "pairs", "nan_similarities", "majority", "mean_cosine", "average", "norm_mean"]
)
def test_counts_and_what_nobody_knows_have_none(name: str) -> None:
    assert larger_is_better(name) is None
    assert with_direction(name) == name


def test_people_are_told_where_less_is_better() -> None:
    assert (with_direction("nll"), with_direction("mrr@10")) == ("nll (lower is better)", "mrr@10")
