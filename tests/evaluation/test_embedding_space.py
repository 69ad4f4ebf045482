from collections.abc import Sequence

import numpy as np
import pytest

from retriever.errors import InputError
from retriever.evaluation.embedding_space import (
    MEANINGS,
    Geometry,
    as_text,
    measure_geometry,
    of_pairs_mean,
    positive_pairs,
)
from retriever.evaluation.geometry import alignment, mean_cosine, mean_potentials, uniformity
from retriever.evaluation.hubness import k_occurrences, never_retrieved, skewness
from retriever.records import Passage, SentencePair

TEXTS = [as_text(f"text {number}") for number in range(40)]
VECTORS = np.random.default_rng(0).normal(loc=0.4, size=(40, 6)).astype(np.float32)
TABLE = dict(zip((each.text for each in TEXTS), VECTORS, strict=True))


class Table:
    """Embeds by looking up, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[list[Passage]] = []

    def __call__(self, texts: Sequence[Passage]) -> np.ndarray:
        self.calls.append(list(texts))
        return np.array([TABLE[each.text] for each in texts])


def values(found: Geometry) -> dict[str, float]:
    return {name: each.value for name, each in found.measures.items()}


def test_every_measure_is_that_of_its_own_function() -> None:
    positives = [(TEXTS[0], TEXTS[1]), (TEXTS[5], TEXTS[2])]
    found = measure_geometry(Table(), TEXTS, positives)
    lengths = [float(np.linalg.norm(each.astype(np.float64))) for each in VECTORS]
    occurrences = k_occurrences(VECTORS, 10)
    assert list(found.measures) == list(MEANINGS)
    assert values(found) == pytest.approx(
        {
            "alignment": alignment(VECTORS[[0, 5]], VECTORS[[1, 2]]),
            "uniformity": uniformity(VECTORS),
            "mean_cosine": mean_cosine(VECTORS),
            "effective_rank": np.exp(
                -sum(s * np.log(s) for s in np.array(found.singular_values) / sum(found.singular_values))
            ),
            "first_direction": found.singular_values[0] ** 2,
            "hubness": skewness(occurrences),
            "never_retrieved": never_retrieved(occurrences),
            "norm_mean": sum(lengths) / 40,
            "norm_spread": (sum((each - sum(lengths) / 40) ** 2 for each in lengths) / 40) ** 0.5
            / (sum(lengths) / 40),
        }
    )
    assert (found.distinct_texts, found.dimension, len(found.singular_values)) == (40, 6, 6)
    for each in found.measures.values():
        if each.low is not None and each.high is not None:
            assert each.low < each.value < each.high


def test_a_text_is_encoded_once_and_counts_as_often_as_it_occurs_but_for_hubness() -> None:
    table = Table()
    repeated = [*TEXTS, TEXTS[3], Passage("another id", TEXTS[3].text)]
    found = measure_geometry(table, repeated, [(TEXTS[3], TEXTS[4])])
    assert [each.text for each in table.calls[0]] == [each.text for each in TEXTS]
    assert len(table.calls) == 1
    every = np.concatenate([VECTORS, VECTORS[[3, 3]]])
    assert values(found)["uniformity"] == pytest.approx(uniformity(every))
    assert values(found)["mean_cosine"] == pytest.approx(mean_cosine(every))
    assert values(found)["hubness"] == pytest.approx(skewness(k_occurrences(VECTORS)))


def test_titles_make_texts_different() -> None:
    asked: list[Passage] = []

    def embed(texts: Sequence[Passage]) -> np.ndarray:
        asked.extend(texts)
        return VECTORS[: len(texts)]

    measure_geometry(embed, [Passage("1", "same", "a"), Passage("2", "same", "b"), Passage("3", "same", "a")])
    assert [(each.title, each.text) for each in asked] == [("a", "same"), ("b", "same")]


def test_without_pairs_there_is_no_alignment_and_of_few_texts_no_hubness(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert "alignment" not in measure_geometry(Table(), TEXTS).measures
    assert caplog.messages == []
    assert "hubness" not in measure_geometry(Table(), TEXTS[:10]).measures
    assert caplog.messages == ["hubness is left out: it needs more than 10 different texts, found 10"]
    assert "hubness" in measure_geometry(Table(), TEXTS[:11]).measures


def test_the_interval_over_texts_is_about_that_of_resampling_all_their_pairs() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(loc=0.5, size=(150, 8))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    potentials = np.exp(-2 * (2 - 2 * unit @ unit.T))
    np.fill_diagonal(potentials, 0)
    estimates = []
    for _ in range(2000):
        counts = np.bincount(generator.integers(150, size=150), minlength=150)
        estimates.append(counts @ potentials @ counts / (150**2 - np.sum(counts**2)))  # no text with itself
    low, high = np.percentile(estimates, [2.5, 97.5])
    found = of_pairs_mean(mean_potentials(x))
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(high - low, rel=0.1)
    assert (found.low + found.high) / 2 == pytest.approx((low + high) / 2, abs=0.1 * (high - low))


def test_lengths_that_are_all_the_same_have_no_spread() -> None:
    unit = VECTORS / np.linalg.norm(VECTORS.astype(np.float64), axis=1, keepdims=True)
    found = measure_geometry(lambda texts: unit[: len(texts)], TEXTS)
    assert values(found)["norm_mean"] == pytest.approx(1)
    assert values(found)["norm_spread"] == pytest.approx(0, abs=1e-12)


def test_positive_pairs_score_above_4() -> None:
    pairs = [SentencePair("a", "b", 4.0), SentencePair("c", "d", 4.2)]
    assert positive_pairs(pairs) == [(as_text("c"), as_text("d"))]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_text_without_a_direction_is_named(value: float) -> None:
    broken = VECTORS.copy()
    broken[[4, 7]] = value
    with pytest.raises(InputError) as raised:
        measure_geometry(lambda texts: broken, TEXTS)
    assert str(raised.value) == (
        "2 of 40 texts have an embedding that is zero or not finite, and so no direction; the first is 'text 4'"
    )


def test_one_text_has_no_geometry() -> None:
    with pytest.raises(InputError, match="geometry needs at least 2 different texts, found 1"):
        measure_geometry(Table(), [TEXTS[0], TEXTS[0]])
