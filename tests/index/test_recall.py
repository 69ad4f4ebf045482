import numpy as np
import pytest
import torch

from retriever.index.faiss_index import NOTHING, FaissIndex
from retriever.index.parts import Parts
from retriever.index.recall import Truth, recall
from retriever.index.recipes import RECIPES, default_lists, factory_of
from retriever.index.sample import sample_vectors
from tests.index.test_recipes import clustered

CPU = torch.device("cpu")


def test_recall_is_the_share_of_the_truth_that_is_found() -> None:
    truth = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    found = np.array([[4, 1, 9, NOTHING], [8, 7, 6, 5]])
    assert recall(found, truth) == pytest.approx(6 / 8)
    assert recall(found[:, :0], truth[:, :0]) == 1


def test_a_sample_has_the_rows_that_it_says() -> None:
    vectors = clustered(100, 0)
    found, rows = sample_vectors(
        Parts.of([each.astype(np.float16) for each in (vectors[:30], vectors[30:31], vectors[31:])]),
        20,
        seed=3,
    )
    assert len(set(rows.tolist())) == 20
    np.testing.assert_allclose(found, vectors[rows], atol=1e-3)
    everything, rows = sample_vectors(Parts.of([vectors]), 500, seed=3)
    np.testing.assert_array_equal(everything, vectors)
    assert rows.tolist() == list(range(100))


def filled(corpus: np.ndarray) -> FaissIndex:
    index = FaissIndex(32, factory_of("ivf-flat", dimension=32, count=len(corpus), lists=None))
    index.train(corpus)
    index.add(corpus)
    return index


def test_the_search_is_turned_up_until_the_target_is_met_and_no_further() -> None:
    corpus = clustered(4000, 0)
    index, ladder = filled(corpus), RECIPES["ivf-flat"].ladder(default_lists(4000))
    parts = Parts.of([corpus[:1500], corpus[1500:]])
    truth = Truth.of_queries(clustered(200, 5), parts, CPU)
    index.set_search({"nprobe": 1})
    low = truth.recall_of(index)
    settings, reached = truth.turn_up(index, ladder, 0.95)
    assert low < 0.95 <= reached == truth.recall_of(index)
    index.set_search(ladder[ladder.index(settings) - 1])
    assert truth.recall_of(index) < 0.95
    assert truth.turn_up(index, ladder, 1.1)[1] == 1.0  # all lists: every passage is compared


def test_what_never_meets_the_target_gets_the_best_there_is() -> None:
    corpus = clustered(4000, 0)
    truth = Truth.of_queries(clustered(200, 5), Parts.of([corpus]), CPU)
    settings, reached = truth.turn_up(filled(corpus), [{"nprobe": 4}, {"nprobe": 1}], 1.0)
    assert settings == {"nprobe": 4}
    assert 0 < reached < 1
