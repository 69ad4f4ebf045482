"""Two rankings of one question, dense and BM25, become one. Pure functions of ids, ranks and scores; NumPy, no loop over hits.

The candidates are what either side found within the depth. A candidate that one side did not find still needs a score of that
side: it gets the highest that it can have there, which is the lowest that was found, or 0 (no word in common) where BM25 found
fewer passages than it was asked for. Exact scores would take a read of each such vector and posting; measured, they change nothing
beyond chance (``benchmarks/hybrid_quality.py``). DPR scores the union of both lists exactly.

Everything is computed over the candidates, so with a depth of the whole corpus it is computed over all scores. A lesser depth leaves
fewer low scores to standardise by: there, depth 100 costs up to 0.6 points of nDCG@10, depth 20 up to 1.5, of 1,400 to 5,200 passages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import compress, repeat

import numpy as np
from numpy.typing import NDArray

from retriever.choices import FusionMethod
from retriever.records import Ranking

RRF_K = 60
DEPTH = 1000
WEIGHTS: dict[FusionMethod, float | None] = {"zscore": 1.4, "minmax": 1.4, "weighted": None, "rrf": 1.0}
"""λ where none is given: as measured (``benchmarks/hybrid_quality.py``), of rrf as published. Scores as they are have none that fits
more than one model: DPR's 1.1 is of its own dot products."""

NEW = -1
"""In place of a place: not among the hits of the other side."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two rankings become one.

    Attributes:
        method: zscore, minmax (scores on one scale a question, added), weighted (scores as they are, added) or rrf (ranks).
        weight: λ, by which the dense share is multiplied before BM25's is added.
        depth: hits of each side that count.
        rrf_k: of rrf, how little the first ranks count more than later ones.
    """

    method: FusionMethod
    weight: float
    depth: int = DEPTH
    rrf_k: int = RRF_K

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.depth < 1 or self.rrf_k < 0:
            raise ValueError(f"weight must be above 0, depth at least 1 and rrf_k at least 0, got {self}")

    def describe(self) -> str:
        """In words."""
        k = f", k {self.rrf_k}" if self.method == "rrf" else ""
        return f"{self.method}, weight of dense {self.weight:g}, depth {self.depth}{k}"

    def to_json(self) -> dict[str, str | float]:
        """Plain JSON values; ``Fusion(**values)`` gives an equal fusion."""
        return asdict(self)


FUSION = Fusion("zscore", 1.4)
"""The default, which that measurement chose."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one side found of some passages.

    Attributes:
        ranks: (n,) from 1; 0 where the side did not find the passage within its depth.
        scores: (n,) of the side itself; NaN where it did not.
    """

    ranks: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def lowest(self) -> float:
        """The lowest score that was found; 0 of none."""
        return float(np.nanmin(self.scores)) if self.ranks.any() else 0.0

    def take(self, rows: NDArray[np.int64] | slice) -> "Part":
        """Of some of the passages."""
        return Part(self.ranks[rows], self.scores[rows])


class FusedRanking(Ranking):
    """A ranking that knows where its scores come from.

    Args:
        ids: passage ids, best first.
        scores: (n,) fused scores.
        parts: side (dense, bm25) → what it found of these passages.
    """

    __slots__ = ("parts",)

    def __init__(
        self,
        ids: Sequence[str],
        scores: Sequence[float] | NDArray[np.floating],
        parts: Mapping[str, Part],
    ) -> None:
        super().__init__(ids, scores)
        self.parts = dict(parts)

    def parts_of(self, position: int) -> dict[str, dict[str, float] | None]:
        """Side → rank and score of one hit there, as plain numbers; None where that side did not find it."""
        return {
            side: {"rank": int(part.ranks[position]), "score": float(part.scores[position])}
            if part.ranks[position]
            else None
            for side, part in self.parts.items()
        }

    def head(self, k: int) -> "FusedRanking":
        """The first k hits."""
        parts = {side: part.take(slice(k)) for side, part in self.parts.items()}
        return FusedRanking(self.ids[:k], self.scores[:k], parts)


class Candidates:
    """What either side found for one question, ready to be fused in one way or in many.

    Args:
        dense: the dense ranking.
        bm25: the ranking by words; shorter than the depth where no other passage has any of them.
        depth: hits of each that count, at least 1.
    """

    def __init__(self, dense: Ranking, bm25: Ranking, depth: int) -> None:
        first, second, self.depth = dense.ids[:depth], bm25.ids[:depth], depth
        places = np.fromiter(
            map(dict(zip(first, range(len(first)), strict=True)).get, second, repeat(NEW)),
            np.int64,
            len(second),
        )
        new = places == NEW
        places[new] = len(first) + np.arange(np.count_nonzero(new))
        self.ids: list[str] = [*first, *compress(second, new.tolist())]
        self.dense = _part(np.arange(len(first)), dense.scores[:depth], len(self.ids))
        self.bm25 = _part(places, bm25.scores[:depth], len(self.ids))

    def fused(self, fusion: Fusion, k: int) -> FusedRanking:
        """The best k candidates; equal scores in the order of the dense ranking, and then of BM25's.

        Raises:
            ValueError: a fusion of another depth.
        """
        if fusion.depth != self.depth:
            raise ValueError(f"candidates of depth {self.depth}, fusion of depth {fusion.depth}")
        if not self.ids:
            return FusedRanking((), (), {"dense": self.dense, "bm25": self.bm25})
        dense, bm25 = METHODS[fusion.method](self, fusion)
        scores = fusion.weight * dense + bm25
        best = np.argsort(-scores, kind="stable")[:k]
        parts = {"dense": self.dense.take(best), "bm25": self.bm25.take(best)}
        return FusedRanking([self.ids[row] for row in best.tolist()], scores[best], parts)

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) dense and (n,) BM25 scores, none missing."""
        dense, bm25 = self.dense, self.bm25
        some_lack_all_words = np.count_nonzero(bm25.ranks) < self.depth
        return (
            np.where(dense.ranks > 0, dense.scores, dense.lowest),
            np.where(
                bm25.ranks > 0, bm25.scores, min(bm25.lowest, 0.0) if some_lack_all_words else bm25.lowest
            ),
        )


def fuse(dense: Ranking, bm25: Ranking, fusion: Fusion, k: int) -> FusedRanking:
    """The best k passages of two rankings of one question."""
    return Candidates(dense, bm25, fusion.depth).fused(fusion, k)


Shares = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(n,) of the dense side and (n,) of BM25; the first is multiplied by λ, then they are added."""


def _reciprocal_ranks(candidates: Candidates, fusion: Fusion) -> Shares:
    """Cormack, Clarke and Büttcher, SIGIR 2009: 1 / (k + rank), and nothing where it was not found."""
    dense, bm25 = (
        np.divide(1.0, fusion.rrf_k + part.ranks, out=np.zeros(len(part.ranks)), where=part.ranks > 0)
        for part in (candidates.dense, candidates.bm25)
    )
    return dense, bm25


def _as_they_are(candidates: Candidates, fusion: Fusion) -> Shares:
    """DPR, section 5: BM25 + λ · dense, λ = 1.1 of its own dot products."""
    return candidates.scores()


def _standardised(candidates: Candidates, fusion: Fusion) -> Shares:
    """Minus the mean of the candidates' scores, in standard deviations; 0 where all are equal."""
    dense, bm25 = (_scaled(each, each.mean(), each.std()) for each in candidates.scores())
    return dense, bm25


def _from_0_to_1(candidates: Candidates, fusion: Fusion) -> Shares:
    """The lowest score is 0, the highest 1; 0 where all are equal."""
    dense, bm25 = (_scaled(each, each.min(), np.ptp(each)) for each in candidates.scores())
    return dense, bm25


METHODS: dict[FusionMethod, Callable[[Candidates, Fusion], Shares]] = {
    "zscore": _standardised,
    "minmax": _from_0_to_1,
    "weighted": _as_they_are,
    "rrf": _reciprocal_ranks,
}


def _scaled(scores: NDArray[np.float64], zero: np.float64, unit: np.float64) -> NDArray[np.float64]:
    """(n,) on a scale with this zero and unit; equal scores are all 0, though rounding may give them a standard deviation."""
    found: NDArray[np.float64] = (scores - zero) / unit if np.ptp(scores) > 0 else np.zeros_like(scores)
    return found


def _part(places: NDArray[np.int64], scores: NDArray[np.float64], count: int) -> Part:
    """What one side found, best first, at the places that its hits have among so many candidates."""
    part = Part(np.zeros(count, np.int64), np.full(count, np.nan))
    part.ranks[places], part.scores[places] = np.arange(1, len(scores) + 1), scores
    return part
