"""The geometry of one model's embeddings of some texts: every measure with what it means and, where texts can be resampled, its interval."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retriever.errors import InputError
from retriever.evaluation.bootstrap import RESAMPLES, mean_intervals, percentile_interval, resample_counts
from retriever.evaluation.geometry import (
    effective_rank,
    mean_cosines,
    mean_potentials,
    pair_distances,
    singular_values,
)
from retriever.evaluation.hubness import NEIGHBOURS, k_occurrences, never_retrieved, skewness
from retriever.records import Passage, SentencePair

logger = logging.getLogger(__name__)

POSITIVE_ABOVE = 4.0
"""STS pairs with a higher score are positives (SimCSE, section 6)."""

MEANINGS = {
    "alignment": "smaller is better: squared distance of pairs that mean the same; 0 to 4",
    "uniformity": "smaller is better: how evenly the texts spread; 0: one point, about -4: evenly over the sphere",
    "mean_cosine": "near 0 is better: anisotropy, how alike any two texts are; 1: one point",
    "effective_rank": "neither: directions in use, of at most min(texts, dimensions)",
    "first_direction": "smaller is better: share of everything that lies along one direction",
    "hubness": "near 0 is better: skewness of how many texts have a text among their 10 nearest",
    "never_retrieved": "smaller is better: share of texts that are in nobody's 10 nearest",
    "norm_mean": "neither: mean length before normalisation",
    "norm_spread": "neither: standard deviation of that length, divided by its mean",
}
"""Measure → what a reader has to know of it."""

Embed = Callable[[Sequence[Passage]], NDArray[np.float32]]
"""N texts → (N, D) embeddings, not normalised, in the caller's order."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A value, and its 95 % interval over texts (alignment: pairs) where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Geometry:
    """What was measured.

    Attributes:
        measures: by the names of ``MEANINGS``; alignment only with positive pairs, hubness only with more than 10 texts.
        singular_values: the whole spectrum, of ``geometry.singular_values``.
        texts: N, copies included.
        distinct_texts: different ones, each of which was encoded once.
        positive_pairs: that alignment is of.
        dimension: D.
    """

    measures: dict[str, Measured]
    singular_values: list[float]
    texts: int
    distinct_texts: int
    positive_pairs: int
    dimension: int


def positive_pairs(pairs: Sequence[SentencePair]) -> list[tuple[Passage, Passage]]:
    """The pairs with a score above 4."""
    return [(as_text(each.first), as_text(each.second)) for each in pairs if each.score > POSITIVE_ABOVE]


def as_text(sentence: str) -> Passage:
    """A sentence as a text without id and title."""
    return Passage("", sentence)


def measure_geometry(
    embed: Embed, texts: Sequence[Passage], positives: Sequence[tuple[Passage, Passage]] = ()
) -> Geometry:
    """Encode each distinct text once and measure.

    A text that occurs twice counts twice, as in SimCSE, but for hubness, where its copy would be its nearest neighbour.

    Args:
        embed: called once; (N, D) embeddings are held in memory, and about as much again in float64.
        texts: at least 2 different ones; ids do not count.
        positives: pairs that mean the same.

    Raises:
        InputError: fewer than 2 different texts, or a text whose embedding is zero.
    """
    rows: dict[tuple[str, str], int] = {}
    of_texts = [_row(rows, each) for each in texts]
    distinct = len(rows)
    if distinct < 2:
        raise InputError(f"geometry needs at least 2 different texts, found {distinct}")
    of_pairs = np.array([[_row(rows, a), _row(rows, b)] for a, b in positives], dtype=np.int64).reshape(-1, 2)
    embeddings = np.asarray(embed([Passage("", text, title) for title, text in rows]))
    _require_directions(embeddings, list(rows))
    every = embeddings[of_texts]  # (N, D)
    values = singular_values(every)
    if distinct <= NEIGHBOURS:
        logger.warning(
            "hubness is left out: it needs more than %d different texts, found %d", NEIGHBOURS, distinct
        )
    measures = {
        **({"alignment": _alignment(embeddings, of_pairs)} if len(of_pairs) else {}),
        "uniformity": _uniformity(every),
        "mean_cosine": of_pairs_mean(mean_cosines(every)),
        "effective_rank": Measured(effective_rank(values)),
        "first_direction": Measured(float(values[0] ** 2)),
        **(_hubness(embeddings[:distinct]) if distinct > NEIGHBOURS else {}),
        **_norms(np.linalg.norm(every.astype(np.float64), axis=1)),
    }
    return Geometry(
        measures, values.tolist(), len(texts), distinct, len(positives), dimension=embeddings.shape[1]
    )


def _row(rows: dict[tuple[str, str], int], text: Passage) -> int:
    return rows.setdefault((text.title, text.text), len(rows))


def _require_directions(embeddings: NDArray[np.float32], texts: Sequence[tuple[str, str]]) -> None:
    if embeddings.ndim != 2 or len(embeddings) != len(texts):
        raise ValueError(f"encode gave shape {embeddings.shape} for {len(texts)} texts")
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(bad):
        text = " ".join(" ".join(texts[bad[0]]).split())
        shown = text if len(text) <= 80 else text[:79] + "…"
        raise InputError(
            f"{len(bad)} of {len(texts)} texts have an embedding that is zero or not finite, and so no direction; "
            f"the first is '{shown}'"
        )


def _alignment(embeddings: NDArray[np.float32], pairs: NDArray[np.int64]) -> Measured:
    distances = pair_distances(embeddings[pairs[:, 0]], embeddings[pairs[:, 1]])
    low, high = mean_intervals(distances[:, None])
    return Measured(float(distances.mean()), float(low[0]), float(high[0]))


def _uniformity(embeddings: NDArray[np.float32]) -> Measured:
    potential = of_pairs_mean(mean_potentials(embeddings))
    tiny = np.exp(-8)  # no potential is smaller
    return Measured(
        *(float(np.log(max(each or 0, tiny))) for each in (potential.value, potential.low, potential.high))
    )


def of_pairs_mean(means: ArrayLike) -> Measured:
    """A mean over all pairs, and its interval over texts, from each text's own mean over its pairs.

    Such a mean is a U-statistic, whose bootstrap over texts is, to first order, that of twice the texts' own means
    (Arvesen 1969; Bickel and Freedman 1981): no pairs are needed again.
    """
    values = np.asarray(means, dtype=np.float64)
    value = float(values.mean())
    low, high = mean_intervals(values[:, None])
    return Measured(value, value + 2 * (float(low[0]) - value), value + 2 * (float(high[0]) - value))


def _hubness(embeddings: NDArray[np.float32]) -> dict[str, Measured]:
    occurrences = k_occurrences(embeddings)
    return {
        "hubness": Measured(skewness(occurrences)),
        "never_retrieved": Measured(never_retrieved(occurrences)),
    }


def _norms(lengths: NDArray[np.float64], *, seed: int = 0) -> dict[str, Measured]:
    mean = lengths.mean()
    away = lengths - mean  # lengths of about 1 would lose their digits when squared
    draws = [
        np.stack([counts @ away, counts @ away**2], axis=1) / len(lengths)
        for counts in resample_counts(len(lengths), RESAMPLES, seed)
    ]
    first, second = np.concatenate(draws).T  # (R,) moments
    low, high = percentile_interval(
        np.stack([mean + first, np.sqrt(np.maximum(second - first**2, 0)) / (mean + first)], axis=1)
    )
    return {
        "norm_mean": Measured(float(mean), float(low[0]), float(high[0])),
        "norm_spread": Measured(float(lengths.std() / mean), float(low[1]), float(high[1])),
    }
