import numpy as np
import pytest

from retriever.errors import InputError
from retriever.evaluation.average_rank import gold_ranks, rank_metrics


def test_ranks_equal_a_count_by_hand() -> None:
    passages = np.eye(4, dtype=np.float32)
    queries = np.array([[0.9, 0.5, 0.1, 0.7], [0.1, 0.2, 0.3, 0.4]], dtype=np.float32)
    assert gold_ranks(queries, passages, [[0], [0]]).tolist() == [0, 3]
    assert gold_ranks(queries, passages, [[2, 1], [3, 2]]).tolist() == [2, 0]


def test_a_collapsed_encoder_comes_last_and_not_first() -> None:
    assert gold_ranks(np.ones((1, 2), np.float32), np.ones((5, 2), np.float32), [[3]]).tolist() == [4]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("of", ["query", "gold", "other"])
def test_embeddings_that_are_not_finite_have_no_rank(value: float, of: str) -> None:
    queries, passages = np.ones((2, 2), np.float32), np.ones((5, 2), np.float32)
    {"query": queries[1], "gold": passages[3], "other": passages[0]}[of][0] = value
    with pytest.raises(InputError, match="the model gives embeddings that are not finite"):
        gold_ranks(queries, passages, [[3], [3]])


def test_metrics_of_ranks() -> None:
    found = {name: each.mean() for name, each in rank_metrics(np.array([0, 1, 4, 99])).items()}
    assert found == pytest.approx(
        {
            "average_rank": 26.0,
            "mrr": (1 + 1 / 2 + 1 / 5 + 1 / 100) / 4,
            "accuracy@1": 0.25,
            "accuracy@5": 0.75,
            "accuracy@20": 0.75,
        }
    )
