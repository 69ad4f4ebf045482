import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.index import exact
from retriever.index.exact import ExactSearch, best_columns

CPU = torch.device("cpu")


def vectors(count: int, seed: int, dimension: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def small_numbers(count: int, seed: int) -> np.ndarray:
    """Products of these are exact in any order of addition, and many are equal."""
    return np.random.default_rng(seed).integers(-2, 3, (count, 8)).astype(np.float32)


def brute_force(queries: np.ndarray, corpus: np.ndarray, k: int) -> np.ndarray:
    """Rows, best first, equal scores by the lower row."""
    return np.argsort(-(queries.astype(np.float64) @ corpus.T.astype(np.float64)), axis=1, kind="stable")[
        :, :k
    ]


@settings(max_examples=60)
@given(
    count=st.integers(1, 700), queries=st.integers(0, 9), k=st.integers(1, 90), seed=st.integers(0, 99),
    block=st.sampled_from([1, 40, 64, 10_000]), half=st.booleans(), cut_at=st.integers(0, 300),
)  # fmt: skip
def test_equal_scores_are_taken_by_the_lower_row_whatever_the_blocks(
    count: int, queries: int, k: int, seed: int, block: int, half: bool, cut_at: int
) -> None:
    corpus, asked = small_numbers(count, seed), small_numbers(queries, seed + 1)
    stored = corpus.astype(np.float16) if half else corpus
    cut = [stored[:cut_at], stored[cut_at:]] if cut_at else [stored]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(exact.MAX_SCORES, "cpu", block * max(1, queries))
        patch.setattr(exact, "MAX_QUERIES", 4)
        scores, rows = ExactSearch(cut, CPU).search(asked, k)
    expected = brute_force(asked, corpus, k)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(scores, np.take_along_axis(asked @ corpus.T, expected, axis=1))


@pytest.mark.parametrize("batch", [1, 7, 300])
def test_it_finds_what_faiss_flat_finds(batch: int) -> None:
    corpus, queries = vectors(5000, 0), vectors(batch, 1)
    flat = faiss.IndexFlatIP(16)
    flat.add(corpus)
    scores, rows = ExactSearch([corpus], CPU).search(queries, 20)
    expected_scores, expected_rows = flat.search(queries, 20)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    np.testing.assert_array_equal(rows, expected_rows)


def test_a_memory_mapped_file_is_searched_as_it_lies(tmp_path) -> None:
    np.save(tmp_path / "v.npy", vectors(500, 0).astype(np.float16))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    _, rows = ExactSearch([mapped], CPU).search(vectors(3, 1), 5)
    np.testing.assert_array_equal(rows, brute_force(vectors(3, 1), np.asarray(mapped), 5))


def test_more_than_there_is_gives_what_there_is_and_nothing_gives_nothing() -> None:
    scores, rows = ExactSearch([vectors(3, 0)], CPU).search(vectors(2, 1), 50)
    assert scores.shape == (2, 3)
    assert sorted(rows[0]) == [0, 1, 2]
    assert ExactSearch([vectors(0, 0)], CPU).search(vectors(2, 1), 5)[1].shape == (2, 0)
    assert ExactSearch([vectors(3, 0)], CPU).search(vectors(0, 1), 2)[1].shape == (0, 2)


def test_zero_and_minus_zero_are_equal() -> None:
    scores = torch.tensor([[-0.0, 0.0, -1.0, 0.0]])
    assert best_columns(scores, 4).tolist() == [[0, 1, 3, 2]]


@pytest.mark.parametrize("scale", [1e-42, 1e-3, 1e30])
def test_whole_numbers_keep_the_order_of_the_scores(scale: float) -> None:
    scores = torch.from_numpy(vectors(4, 0, 200)) * scale
    expected = torch.sort(scores, dim=1, descending=True, stable=True).indices
    assert torch.equal(best_columns(scores, 200), expected)


def test_what_is_not_finite_is_never_a_hit() -> None:
    corpus = vectors(100, 0)
    corpus[7, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        ExactSearch([corpus], CPU).search(vectors(2, 1), 5)


def test_wrong_shapes_and_types_are_refused() -> None:
    with pytest.raises(ValueError, match=r"queries \(2, 3\), expected \(Q, 16\)"):
        ExactSearch([vectors(5, 0)], CPU).search(np.zeros((2, 3), np.float32), 1)
    with pytest.raises(ValueError, match=r"expected \(n, 16\) .* got \(5, 8\)"):
        ExactSearch([vectors(5, 0), vectors(5, 0, 8)], CPU)
    with pytest.raises(ValueError, match="no vectors"):
        ExactSearch([], CPU)
    with pytest.raises(ValueError, match="float64"):
        ExactSearch([vectors(5, 0).astype(np.float64)], CPU)
