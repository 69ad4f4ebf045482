"""Which passages that a search found may serve as hard negatives of a question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

from retriever.choices import Rejection
from retriever.data.answers import has_answer
from retriever.data.shingles import jaccard, shingles
from retriever.records import DprExample, MinedPassage, Passage, Ranking


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What rejects a passage, in the order in which it is asked; a copy of a passage that was looked at before is rejected always.

    Attributes:
        positives: it is a positive of the question, by id or by text.
        first_rank: it ranks before this, from 1: the first ones are false negatives most often.
        max_share: it scores above this share of the positive's score (NV-Retriever, 2024: 0.95). The positive's score is
            that of the same ranking, the best one's of several; where the positive is not in the ranking, all that is in it
            scores above it.
        min_margin: it scores less than this below the positive.
        answers: it contains an answer, as DPR's matcher decides (section 3 of Karpukhin et al. 2020).
        near_duplicate: it shares this part of its runs of three words with a positive, or more (Jaccard); None: off.
    """

    positives: bool = True
    first_rank: int = 1
    max_share: float | None = None
    min_margin: float | None = None
    answers: bool = True
    near_duplicate: float | None = 0.8


class Judge:
    """Decides on the candidates of one question, in the order in which they come.

    Args:
        example: the question with its positives, and the hard negatives that it keeps.
        filters: what rejects them.
        also_positive: positives that the same question has elsewhere.
    """

    def __init__(self, example: DprExample, filters: Filters, also_positive: Sequence[Passage] = ()) -> None:
        self._example, self._filters = example, filters
        self._positives = (*example.positives, *also_positive)
        self._positive_ids = {each.id for each in self._positives}
        self._positive_texts = {comparable(each) for each in self._positives}
        self._seen = {comparable(each) for each in example.hard_negatives}

    def ceiling(self, ranking: Ranking, look_up: Callable[[str], Passage]) -> float:
        """The highest score that a hard negative of a ranking may have.

        Args:
            ranking: of one source.
            look_up: id → passage.

        Returns:
            Infinity: no filter asks for it. Minus infinity: the ranking does not hold the positive.
        """
        share, margin = self._filters.max_share, self._filters.min_margin
        if share is None and margin is None:
            return float("inf")
        by_id = (hit.score for hit in ranking if hit.id in self._positive_ids)
        by_text = (hit.score for hit in ranking if self.is_positive(look_up(hit.id)))  # reads them all
        positive = next(chain(by_id, by_text), None)
        if positive is None:
            return float("-inf")
        by_share = (
            positive if share is None else positive - (1 - share) * abs(positive)
        )  # scores may be below 0
        by_margin = positive if margin is None else positive - margin
        return min(by_share, by_margin)

    def is_positive(self, passage: Passage) -> bool:
        """Whether a passage is one of the positives, by id or by text; texts are equal up to white space."""
        return passage.id in self._positive_ids or comparable(passage) in self._positive_texts

    def rejects(self, candidate: MinedPassage, ceiling: float) -> Rejection | None:
        """Why a candidate may not serve; None: it may."""
        filters, text = self._filters, comparable(candidate)
        if filters.positives and self.is_positive(candidate):
            return "positive"
        if candidate.rank < filters.first_rank:
            return "rank"
        if candidate.score > ceiling:
            return "score"
        if text in self._seen:
            return "copy"
        self._seen.add(text)
        if filters.answers and has_answer(candidate.text, self._example.answers):
            return "answer"
        near = filters.near_duplicate
        if near is not None and not self.is_positive(candidate) and self._nearness(candidate) >= near:
            return "near_duplicate"
        return None

    def _nearness(self, candidate: Passage) -> float:
        """The largest Jaccard coefficient of a candidate and a positive."""
        own = shingles(candidate.text)
        return max((jaccard(own, each) for each in self._positive_shingles), default=0.0)

    @cached_property
    def _positive_shingles(self) -> list[frozenset[str]]:
        return [_shingles_of_positive(each.text) for each in self._positives]


@lru_cache(2048)
def _shingles_of_positive(text: str) -> frozenset[str]:
    return shingles(text)  # several questions have one positive


def comparable(passage: Passage) -> str:
    """The text with each run of white space as one blank; of a passage without text its title."""
    return " ".join((passage.text if passage.text.strip() else f"title: {passage.title}").split())
