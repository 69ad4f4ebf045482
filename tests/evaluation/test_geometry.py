import math

import numpy as np
import pytest

from retriever.evaluation import geometry
from retriever.evaluation.geometry import (
    alignment,
    effective_rank,
    mean_cosine,
    mean_cosines,
    singular_values,
    uniformity,
)

X, Y = np.random.default_rng(0).normal(size=(2, 23, 5)).astype(np.float32)


def unit(vector: np.ndarray) -> list[float]:
    length = math.sqrt(sum(float(value) ** 2 for value in vector))
    return [float(value) / length for value in vector]


def squared_distance(first: np.ndarray, second: np.ndarray) -> float:
    return sum((a - b) ** 2 for a, b in zip(unit(first), unit(second), strict=True))


def test_alignment_equals_a_loop() -> None:
    assert alignment(X, Y) == pytest.approx(sum(map(squared_distance, X, Y)) / 23, rel=1e-12)


@pytest.mark.parametrize("t", [2.0, 0.5])
@pytest.mark.parametrize("elements", [1, 100, 1_000_000])
def test_uniformity_equals_a_loop_whatever_the_chunks(
    t: float, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "CHUNK_ELEMENTS", elements)
    potentials = [math.exp(-t * squared_distance(X[i], X[j])) for i in range(23) for j in range(23) if i != j]
    assert uniformity(X, t) == pytest.approx(math.log(sum(potentials) / len(potentials)), rel=1e-12)


def test_values_by_hand() -> None:
    east, north, west = [3.0, 0.0], [0.0, 0.1], [-2.0, 0.0]
    assert alignment([east, east, east], [east, north, west]) == pytest.approx((0 + 2 + 4) / 3)
    assert uniformity([east, west]) == pytest.approx(-8)  # exp(-2 * 4)
    assert uniformity([east, east, east]) == pytest.approx(0, abs=1e-12)


def test_the_length_of_embeddings_does_not_count() -> None:
    scales = np.linspace(0.1, 90, 23)[:, None]
    assert alignment(X * scales, Y) == pytest.approx(alignment(X, Y), rel=1e-6)
    assert uniformity(X * scales) == pytest.approx(uniformity(X), rel=1e-6)


def test_embeddings_without_a_direction_are_refused() -> None:
    with pytest.raises(ValueError, match=r"embedding 1 has length 0\.0 and no direction"):
        uniformity([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="embedding 0 has length nan and no direction"):
        alignment([[np.nan, 0.0]], [[1.0, 0.0]])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected two arrays of one shape \(N, D\), got \(23, 5\) and \(22, 5\)"
    ):
        alignment(X, Y[1:])
    with pytest.raises(ValueError, match="uniformity needs at least 2 embeddings, got 1"):
        uniformity(X[:1])
    with pytest.raises(ValueError, match=r"expected embeddings of shape \(N, D\), got \(5,\)"):
        uniformity(X[0])


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return sum(a * b for a, b in zip(unit(first), unit(second), strict=True))


def test_the_mean_cosine_equals_a_loop_over_all_pairs() -> None:
    loop = [[cosine(X[i], X[j]) for j in range(23) if j != i] for i in range(23)]
    np.testing.assert_allclose(mean_cosines(X), np.mean(loop, axis=1), rtol=0, atol=1e-12)
    assert mean_cosine(X) == pytest.approx(np.mean(loop), abs=1e-12)


def test_the_mean_cosine_by_hand() -> None:
    assert mean_cosine([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]) == pytest.approx(-1 / 3)  # 0, 0 and -1
    assert mean_cosine([[3.0, 4.0]] * 5) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(40, 6), (4, 9)])
def test_singular_values_are_those_of_the_matrix(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(1).normal(size=shape)
    rows = np.array([unit(row) for row in x])
    expected = np.linalg.svd(rows / math.sqrt(len(rows)), compute_uv=False)
    np.testing.assert_allclose(singular_values(x), expected, atol=1e-12)
    assert np.sum(singular_values(x) ** 2) == pytest.approx(1)


def test_the_effective_rank_of_equal_values_is_their_number_and_of_one_direction_1() -> None:
    assert effective_rank([0.3] * 7) == pytest.approx(7)
    assert effective_rank([5.0, 0.0, 0.0]) == pytest.approx(1)
    shares = [0.75, 0.25]  # of 3 and 1
    assert effective_rank([3.0, 1.0, 0.0]) == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)))


def test_rows_in_two_dimensions_of_five_have_no_other_directions() -> None:
    generator = np.random.default_rng(2)
    x = generator.normal(size=(50, 2)) @ generator.normal(size=(2, 5))
    values = singular_values(x)
    assert (values[2:] == 0).all() and (values[:2] > 0).all()
    assert effective_rank(values) <= 2


def test_a_gaussian_cloud_uses_every_direction_evenly() -> None:
    x = np.random.default_rng(3).normal(size=(2000, 16))
    assert effective_rank(singular_values(x)) == pytest.approx(16, abs=0.05)
    assert mean_cosine(x) == pytest.approx(0, abs=2e-3)
    # on the unit sphere in 16 dimensions E exp(-4 + 4 cos): the moment generating function of a coordinate
    series = sum(
        (4**2 / 4) ** n / (math.factorial(n) * math.prod(8 + i for i in range(n))) for n in range(40)
    )
    assert uniformity(x) == pytest.approx(-4 + math.log(series), abs=0.01)


def test_one_point_has_one_direction() -> None:
    x = np.full((12, 4), 0.5)
    assert effective_rank(singular_values(x)) == pytest.approx(1)
    assert singular_values(x)[0] == pytest.approx(1)
