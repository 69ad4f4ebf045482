import math

import numpy as np
import pytest

from retriever.evaluation import geometry
from retriever.evaluation.geometry import alignment, uniformity

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
