"""The plain data that flows between rooms. Standard library and NumPy only.

Shape letters, here and everywhere: B examples, K hard negatives per anchor, M extra negatives, C candidates, N texts,
S tokens of all texts together, Q queries, H hidden size, D embedding size, W processes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the corpus."""

    id: str
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedPassage(Passage):
    """A passage that a search found for a question, and where: a hard negative with its provenance.

    Attributes:
        source: what searched: ``bm25``, an index or a model, by the name that the user gave.
        rank: its place in that ranking, from 1.
        score: of that ranking.
        cross_encoder: what a cross-encoder gives question and passage, between 0 and 1; None: none was asked.
    """

    source: str
    rank: int
    score: float
    cross_encoder: float | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A question and its id."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what is known of its answer: answer strings, ids of positive passages, or neither."""

    query: Query
    answers: tuple[str, ...] = ()
    positive_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences and the similarity that people gave them."""

    first: str
    second: str
    score: float


@dataclass(frozen=True, slots=True)
class StsTask:
    """An STS task: one or more named subsets of sentence pairs."""

    name: str
    subsets: dict[str, list[SentencePair]]


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text, or a pair of texts, and its class."""

    label: str
    first: str
    second: str | None = None


@dataclass(frozen=True, slots=True)
class TransferTask:
    """A classification task: labelled texts, all of them single ones or all of them pairs.

    ``test`` is empty where the data set has no split of its own and cross-validation makes one; ``dev`` where cross-validation on
    ``train`` chooses in its place.
    """

    name: str
    train: list[LabelledText]
    dev: list[LabelledText]
    test: list[LabelledText]


@dataclass(frozen=True, slots=True)
class SimcseExample:
    """An anchor and its positive; ``positive=None`` means the anchor again, under another dropout mask."""

    anchor: str
    positive: str | None = None
    hard_negatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DprExample:
    """A question with its positive passages (at least one), hard negatives, and others: random ones, in DPR's files."""

    query: Query
    positives: tuple[Passage, ...]
    hard_negatives: tuple[Passage, ...] = ()
    answers: tuple[str, ...] = ()
    other_negatives: tuple[Passage, ...] = ()

    @property
    def trained_negatives(self) -> tuple[Passage, ...]:
        """What is trained on as hard negatives: where there are none, the others, as in DPR."""
        return self.hard_negatives or self.other_negatives


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage of a ranking; a larger score is better."""

    id: str
    score: float


class Ranking(Sequence[Hit]):
    """The passages found for one query, best first; at most k, never padded; larger scores are better.

    Args:
        ids: passage ids, best first.
        scores: (len(ids),) scores in the same order, not increasing.

    Raises:
        ValueError: the lengths differ, an id occurs twice, a score is NaN, or the scores increase somewhere.
    """

    __slots__ = ("ids", "scores")

    def __init__(self, ids: Sequence[str], scores: Sequence[float] | NDArray[np.floating]) -> None:
        self.ids: tuple[str, ...] = tuple(ids)
        self.scores: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
        if self.scores.shape != (len(self.ids),):
            raise ValueError(f"ranking of {len(self.ids)} ids with scores of shape {self.scores.shape}")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ranking holds a passage twice")
        if bool(np.isnan(self.scores).any()) or bool((self.scores[1:] > self.scores[:-1]).any()):
            raise ValueError("ranking is not sorted: a score is NaN or larger than the one before it")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> Hit:  # type: ignore[override]  # positions only; slices: see head()
        return Hit(self.ids[position], float(self.scores[position]))

    def __iter__(self) -> Iterator[Hit]:
        return map(Hit, self.ids, map(float, self.scores))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ranking)
            and self.ids == other.ids
            and bool(np.array_equal(self.scores, other.scores))
        )

    def __hash__(self) -> int:
        return hash((self.ids, self.scores.tobytes()))

    def __repr__(self) -> str:
        return f"Ranking({', '.join(f'{hit.id}: {hit.score:.4g}' for hit in self)})"

    def head(self, k: int) -> "Ranking":
        """The first k hits."""
        return Ranking(self.ids[:k], self.scores[:k])


Rankings = Iterable[tuple[str, Ranking]]
"""(query id, ranking) pairs, streamed: a million queries never sit in memory as objects."""

Qrels = dict[str, dict[str, int]]
"""query id → passage id → grade; a grade above 0 is relevant."""


def content_id(text: str, title: str = "") -> str:
    """A stable id for a passage that came without one: equal title and text give an equal id."""
    return "sha256:" + sha256(f"{title}\0{text}".encode()).hexdigest()[:24]
