from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from retriever.choices import IndexRecipe
from retriever.errors import InputError
from retriever.index.faiss_index import FaissIndex
from retriever.index.recipes import FACTORY


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)


def filled(count: int) -> FaissIndex:
    index = FaissIndex(16)
    index.add([f"p{row}" for row in range(count)], vectors(count))
    return index


def test_every_recipe_has_a_factory_string() -> None:
    assert set(FACTORY) == set(get_args(IndexRecipe))


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_flat_search_is_brute_force(batch: int) -> None:
    queries, corpus = vectors(batch, seed=1), vectors(300)
    for query, ranking in zip(queries, filled(300).search(queries, 10), strict=True):
        scores = corpus @ query
        expected = np.argsort(-scores, kind="stable")[:10]
        assert list(ranking.ids) == [f"p{row}" for row in expected]
        np.testing.assert_allclose(ranking.scores, scores[expected], rtol=1e-5)


def test_more_than_there_is_gives_what_there_is_and_never_the_last_passage_for_row_minus_one() -> None:
    (ranking,) = filled(3).search(vectors(1), 50)
    assert sorted(ranking.ids) == ["p0", "p1", "p2"]


def test_an_empty_index_finds_nothing() -> None:
    assert [len(each) for each in FaissIndex(16).search(vectors(2), 5)] == [0, 0]


def test_equal_scores_come_in_the_order_of_adding() -> None:
    index = FaissIndex(16)
    index.add(["b", "a", "c"], np.repeat(vectors(1), 3, axis=0))
    assert index.search(vectors(1), 3)[0].ids == ("b", "a", "c")


def test_saved_and_loaded_it_finds_the_same(tmp_path: Path) -> None:
    index = filled(50)
    index.save(tmp_path)
    again = FaissIndex.load(tmp_path, [f"p{row}" for row in range(50)])
    assert again.search(vectors(4, seed=2), 5) == index.search(vectors(4, seed=2), 5)
    again.add(["new"], vectors(1, seed=3))
    assert len(again) == 51


def test_what_faiss_would_accept_in_silence_is_refused() -> None:
    index = filled(3)
    with pytest.raises(ValueError, match="an id is in the index already"):
        index.add(["p1"], vectors(1))
    with pytest.raises(ValueError, match="not finite"):
        index.add(["new"], np.full((1, 16), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match=r"2 ids with vectors \(1, 16\), expected \(2, 16\)"):
        index.add(["x", "y"], vectors(1))
    with pytest.raises(ValueError, match=r"queries \(1, 8\), expected \(Q, 16\)"):
        index.search(vectors(1)[:, :8], 1)


def test_a_damaged_file_or_wrong_ids_are_input_errors(tmp_path: Path) -> None:
    filled(3).save(tmp_path)
    with pytest.raises(InputError, match="holds 3 vectors for 2 passages"):
        FaissIndex.load(tmp_path, ["a", "b"])
    file = tmp_path / "vectors.faiss"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match="cannot be read as a FAISS index"):
        FaissIndex.load(tmp_path, ["a", "b", "c"])
