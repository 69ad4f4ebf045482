import math

import numpy as np
import pytest

from retriever.evaluation import geometry
from retriever.evaluation.hubness import k_occurrences, never_retrieved, skewness

X = np.random.default_rng(0).normal(size=(31, 4)).astype(np.float32)


def counted(x: np.ndarray, k: int) -> list[int]:
    rows = [row.astype(np.float64) / np.linalg.norm(row.astype(np.float64)) for row in x]
    counts = [0] * len(rows)
    for i, row in enumerate(rows):
        others = sorted((j for j in range(len(rows)) if j != i), key=lambda j: -float(row @ rows[j]))
        for j in others[:k]:
            counts[j] += 1
    return counts


@pytest.mark.parametrize("k", [1, 10, 30])
@pytest.mark.parametrize("elements", [1, 100, 1_000_000])
def test_occurrences_equal_those_of_sorting_all_others_whatever_the_chunks(
    k: int, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "CHUNK_ELEMENTS", elements)
    np.testing.assert_allclose(k_occurrences(X, k), counted(X, k), atol=1e-12)


def test_skewness_is_the_third_standardised_moment() -> None:
    counts = np.array([0, 0, 1, 1, 2, 8])
    mean, deviation = counts.mean(), counts.std()
    assert skewness(counts) == pytest.approx(sum(((c - mean) / deviation) ** 3 for c in counts) / 6)
    assert never_retrieved(counts) == pytest.approx(2 / 6)


def test_texts_that_are_as_near_share_the_last_places() -> None:
    east, north, northeast = [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]
    # north-east has two neighbours as near: half a place each; both others have it as their nearest
    assert k_occurrences([east, north, northeast], 1).tolist() == pytest.approx([0.5, 0.5, 2])


def test_the_order_of_the_rows_does_not_count_where_rows_are_equal() -> None:
    x = np.repeat(X[:6], 5, axis=0)
    order = np.random.default_rng(1).permutation(len(x))
    np.testing.assert_allclose(k_occurrences(x[order], 7), k_occurrences(x, 7)[order], atol=1e-9)


def test_of_one_point_all_occur_equally_often_and_skewness_is_not_defined() -> None:
    occurrences = k_occurrences(np.full((12, 3), 0.1), 5)
    np.testing.assert_allclose(occurrences, 5)
    assert math.isnan(skewness(occurrences))
    assert never_retrieved(occurrences) == 0


def test_a_text_in_the_middle_is_everybodys_neighbour() -> None:
    around = np.eye(9) + 0.5  # each alike to the middle, less so to one another
    occurrences = k_occurrences(np.concatenate([around, np.ones((1, 9))]), 1)
    np.testing.assert_allclose(occurrences, [1 / 9] * 9 + [9])
    assert skewness(occurrences) == pytest.approx(8 / 3)  # one of ten: (1 - 2p) / sqrt(p (1 - p))


def test_more_neighbours_than_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="31 neighbours among 31 embeddings"):
        k_occurrences(X, 31)
