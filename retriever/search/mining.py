"""Hard negatives for DPR training: what a search ranks high for a question and is not an answer to it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from retriever.choices import Rejection
from retriever.data.answers import has_answer
from retriever.data.batched import batched
from retriever.errors import InputError
from retriever.protocols import Searcher
from retriever.records import DprExample, MinedPassage, Passage, Ranking
from retriever.search.filters import Filters, Judge

BATCH_SIZE = 256  # questions searched at once

CrossEncoder = Callable[[Sequence[tuple[str, Passage]]], NDArray[np.float32]]
"""(N,) scores of question and passage, between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """What searches for hard negatives.

    Attributes:
        name: for people, and in what is written.
        searcher: ranks the passages for a question.
        share: of the hard negatives that come from here, beside the shares of the others.
    """

    name: str
    searcher: Searcher
    share: float = 1.0


@dataclass(slots=True)
class MiningReport:
    """Counts over the questions so far. A ranking is read until enough negatives are found, and no further.

    Attributes:
        questions: that were written.
        without_positive: left out: none of the passages found holds an answer.
        kept: hard negatives.
        short: questions with fewer hard negatives than were asked for, those without any among them.
        without_negative: questions without any.
        positive_not_found: rankings without the positive, of which ``max_share`` and ``min_margin`` reject everything.
        kept_from: source → hard negatives.
        rejected: reason → passages.
    """

    questions: int = 0
    without_positive: int = 0
    kept: int = 0
    short: int = 0
    without_negative: int = 0
    positive_not_found: int = 0
    kept_from: Counter[str] = field(default_factory=Counter)
    rejected: Counter[Rejection] = field(default_factory=Counter)

    def add(self, selection: "Selection") -> None:
        """Count one question."""
        self.questions += 1
        self.kept += len(selection.kept)
        self.short += selection.lacks
        self.without_negative += not selection.kept
        self.positive_not_found += selection.positive_not_found
        self.kept_from.update(each.source for each in selection.kept)
        self.rejected.update(reason for _, reason in selection.verdicts if reason is not None)


@dataclass(frozen=True, kw_only=True)
class Miner:
    """Gives questions hard negatives.

    Attributes:
        sources: at least one.
        passages: passage id → passage, of every passage that a source may find.
        depth: passages taken from each search, at least 1.
        num_hard_negatives: passages kept of a question at most.
        filters: what a hard negative may not be.
        cross_encoder: asked last, of what passes the filters; None: nobody is.
        cross_encoder_below: what it gives this or more is rejected (RocketQA, 2021: 0.1).
        keep_old: the hard negatives that a question has stay, and the mined ones come after them.
        also_positive: question, by ``question_key`` → positives of all that ask it, where several do.
    """

    sources: Sequence[Source]
    passages: Mapping[str, Passage]
    depth: int = 100
    num_hard_negatives: int = 1
    filters: Filters = field(default_factory=Filters)
    cross_encoder: CrossEncoder | None = None
    cross_encoder_below: float = 0.1
    keep_old: bool = False
    also_positive: Mapping[str, Sequence[Passage]] = field(default_factory=dict)

    def mine(
        self,
        examples: Iterable[DprExample],
        report: MiningReport | None = None,
        watch: "Callable[[Selection], None]" = lambda selection: None,
    ) -> Iterator[DprExample]:
        """Give each example the first passages of its rankings that may serve.

        An example without positives takes the first passage of the first source that holds an answer, as DPR did where the data
        have none (section 4.1 of Karpukhin et al. 2020), and is left out where there is none.

        Args:
            examples: read in batches, as the result is consumed.
            report: counts what happened.
            watch: is shown what was decided on each question.

        Yields:
            The examples in order. One for which nothing was found has no hard negatives.

        Raises:
            InputError: a source finds a passage that is not in ``passages``.
        """
        counts = MiningReport() if report is None else report
        turns = in_turn([each.share for each in self.sources])
        for batch in batched(examples, BATCH_SIZE):
            texts = [example.query.text for example in batch]
            found = [each.searcher.search(texts, self.depth) for each in self.sources]
            selections = []
            for example, rankings in zip(batch, zip(*found, strict=True), strict=True):
                with_positive = (
                    example if example.positives else _positive_found(example, rankings[0], self._look_up)
                )
                if with_positive is None:
                    counts.without_positive += 1
                    continue
                wanted = Counter(islice(turns, self.num_hard_negatives))
                selections.append(self._selection(with_positive, rankings, wanted))
            self._decide(selections)
            for each in selections:
                counts.add(each)
                watch(each)
                yield replace(each.example, hard_negatives=(*each.example.hard_negatives, *each.kept))

    def _selection(
        self,
        example: DprExample,
        rankings: Sequence[Ranking],
        wanted: Mapping[int, int],
    ) -> "Selection":
        old = example if self.keep_old else replace(example, hard_negatives=())
        found = [
            Found(source.name, ranking, self._look_up)
            for source, ranking in zip(self.sources, rankings, strict=True)
        ]
        also = self.also_positive.get(question_key(example.query.text), ())
        judge = Judge(old, self.filters, also)
        return Selection(old, found, [wanted.get(each, 0) for each in range(len(found))], judge)

    def _decide(self, selections: Sequence["Selection"]) -> None:
        """Take what passes; what a cross-encoder rejects gives its place to the next one, of all questions together."""
        while offered := [(each, *offer) for each in selections for offer in each.offers()]:
            if self.cross_encoder is None:
                for selection, number, candidate in offered:
                    selection.accept(number, candidate)
                return
            pairs = [(each.example.query.text, candidate) for each, _, candidate in offered]
            scores = self.cross_encoder(pairs).tolist()
            for (selection, number, candidate), score in zip(offered, scores, strict=True):
                scored = replace(candidate, cross_encoder=score)
                if score < self.cross_encoder_below:
                    selection.accept(number, scored)
                else:
                    selection.reject(scored, "cross_encoder")

    def _look_up(self, passage_id: str) -> Passage:
        try:
            return self.passages[passage_id]
        except KeyError:
            raise InputError(f"the search found passage '{passage_id}', which is not in the corpus") from None


@dataclass(frozen=True, slots=True)
class Found:
    """What a source found for a question; a passage is read when its turn comes.

    Attributes:
        source: its name.
        ranking: its ranking.
        look_up: id → passage.
    """

    source: str
    ranking: Ranking
    look_up: Callable[[str], Passage]

    def __iter__(self) -> Iterator[MinedPassage]:
        for rank, hit in enumerate(self.ranking, start=1):
            each = self.look_up(hit.id)
            yield MinedPassage(each.id, each.text, each.title, source=self.source, rank=rank, score=hit.score)


class Selection:
    """The hard negatives of one question, as they are found.

    Args:
        example: with its positives, and the hard negatives that stay.
        found: what each source found.
        wanted: how many of each.
        judge: what decides on them.

    Attributes:
        kept: what was found.
        verdicts: every passage that was looked at, with the reason why not; None: it was kept.
        positive_not_found: rankings that do not hold the positive, where its score is asked for.
    """

    def __init__(
        self,
        example: DprExample,
        found: Sequence[Found],
        wanted: Sequence[int],
        judge: Judge,
    ) -> None:
        self.example = example
        self.kept: list[MinedPassage] = []
        self.verdicts: list[tuple[MinedPassage, Rejection | None]] = []
        self._judge = judge
        ceilings = [self._judge.ceiling(each.ranking, each.look_up) for each in found]
        self.positive_not_found = ceilings.count(float("-inf"))
        self._passing = [self._pass(each, ceiling) for each, ceiling in zip(found, ceilings, strict=True)]
        self._wanted = list(wanted)

    @property
    def lacks(self) -> bool:
        """Whether fewer were found than asked for."""
        return any(self._wanted)

    def offers(self) -> list[tuple[int, MinedPassage]]:
        """The next ones that pass the filters, as many as are lacking of each source, with its number; accept or reject them."""
        return [
            (number, each)
            for number, passing in enumerate(self._passing)
            for each in islice(passing, self._wanted[number])
        ]

    def accept(self, number: int, candidate: MinedPassage) -> None:
        """Keep what the source of this number found."""
        self.kept.append(candidate)
        self.verdicts.append((candidate, None))
        self._wanted[number] -= 1

    def reject(self, candidate: MinedPassage, reason: Rejection) -> None:
        """Keep it not."""
        self.verdicts.append((candidate, reason))

    def _pass(self, found: Found, ceiling: float) -> Iterator[MinedPassage]:
        for each in found:
            reason = self._judge.rejects(each, ceiling)
            if reason is None:
                yield each
            else:
                self.reject(each, reason)


def question_key(text: str) -> str:
    """Questions are the same without case and outer white space."""
    return text.strip().casefold()


def _positive_found(
    example: DprExample, ranking: Ranking, look_up: Callable[[str], Passage]
) -> DprExample | None:
    """The example with the first passage of a ranking that holds one of its answers; None: there is none."""
    passages = map(look_up, ranking.ids)
    positive = next((each for each in passages if has_answer(each.text, example.answers)), None)
    return None if positive is None else replace(example, positives=(positive,))


def in_turn(shares: Sequence[float]) -> Iterator[int]:
    """Numbers of sources without end, so that each comes as often as its share says, whenever one stops."""
    whole = sum(shares)
    given = [0] * len(shares)
    for total in count(1):
        behind = [share / whole * total - each for share, each in zip(shares, given, strict=True)]
        next_one = behind.index(max(behind))
        given[next_one] += 1
        yield next_one
