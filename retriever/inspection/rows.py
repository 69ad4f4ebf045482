"""The quick part: looks at training examples while they stream by, and keeps hashes of them only."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from retriever.data.answers import has_answer
from retriever.data.beir import BeirFolder
from retriever.inspection.finding import EXAMPLES, Finding, Places, Tally, excerpt, hashes
from retriever.inspection.kinds import findings_of
from retriever.inspection.pairs import Numbers, Pairs
from retriever.records import DprExample, Passage, SimcseExample

Describe = Callable[[Sequence[int]], Mapping[int, str]]
Late = Mapping[str, tuple[Numbers, Numbers | None]]
Record = TypeVar("Record", DprExample, SimcseExample)

ALWAYS_ASKED = 100
"""Questions at the beginning whose answers are looked for whatever the sample."""

PARAGRAPH = 100
"""Characters of which no title has more."""

WORTH_SAYING = 0.001
"""Share below which training does not warn: so few rows change nothing."""


class QuickCheck(Generic[Record]):
    """What both kinds of data share; ``see`` looks at one example.

    Args:
        sampled: after the first ones, look at the answers of every so many questions only; 1: of all.
    """

    def __init__(self, sampled: int = 1) -> None:
        self.places = Places()
        self.tally = Tally(self.places)
        self.pairs = Pairs()
        self.rows = hashes()  # the place of each
        self.sampled = sampled

    def watch(self, path: Path, located: Iterable[tuple[int, Record]]) -> Iterator[Record]:
        """The examples of a file, looked at as they are taken."""
        start = self.places.file(BeirFolder.find(path, "train").queries if path.is_dir() else path)
        for line, example in located:
            self.rows.append(start + line)
            self.see(example)
            yield example

    def see(self, example: Record) -> None:
        """Look at one example."""
        raise NotImplementedError

    def settle(self, also: Late | None = None, describe: Describe = lambda rows: {}) -> None:
        """Count what only shows when all examples have gone by; to be called once.

        Args:
            also: rows that were found elsewhere, as ``late`` gives them.
            describe: numbers of rows (from 0) → what stands in them; by default nobody knows any more.
        """
        self.tally.totals.update(self.pairs.totals())
        self.tally.totals["hard negatives"] += self.tally.counts[
            "hard_negative_is_anchor"
        ]  # no pairs of their own
        found = {**self.late(), **(also or {})}
        wanted = [row for rows, _ in found.values() for row in rows[:EXAMPLES].tolist()]
        texts = describe(wanted) if wanted else {}
        for name, (rows, firsts) in found.items():
            for at, row in enumerate(rows.tolist()):
                first = "" if firsts is None else f" (first in {self._place(int(firsts[at]))})"
                self.tally.add(name, self.rows[row], texts.get(row, "") + first)

    def late(self) -> Late:
        """The rows of what only shows then, by kind, and of each the row that it repeats."""
        return {
            "same_row": self.pairs.same_rows(),
            "positive_is_hard_negative": (self.pairs.contradictions(), None),
        }

    def findings(self) -> list[Finding]:
        """What was counted."""
        return list(findings_of(self.tally))

    def warnings(self) -> list[str]:
        """What training says before its first step, graver than a note; the rows are forgotten then."""
        self.settle()
        self.pairs, self.rows = Pairs(), hashes()
        return [
            f"{each.count:,} of {each.total:,} {each.of} that were looked at {each.message} "
            f"({', '.join(example.place for example in each.examples)}). {each.remedy}"
            for each in self.findings()
            if each.severity == "error" or (each.severity == "warning" and each.share >= WORTH_SAYING)
        ]

    def _place(self, row: int) -> str:
        return self.places.show(self.rows[row])

    def _found(self, name: str, text: str | Callable[[], str] = "") -> None:
        self.tally.add(name, self.rows[-1], text)


class DprCheck(QuickCheck[DprExample]):
    """Questions with passages. Passages are the same when their texts are but for case and white space, whatever their titles.

    Args:
        sampled: as for ``QuickCheck``.
        wants_hard: whether hard negatives are trained with, or others in their place.
        wants_other: whether other negatives are trained with, besides the hard ones.
    """

    def __init__(self, *, sampled: int = 1, wants_hard: bool = True, wants_other: bool = True) -> None:
        super().__init__(sampled=sampled)
        self.wants_hard, self.wants_other = wants_hard, wants_other

    def see(self, example: DprExample) -> None:
        """Look at one example."""
        positives = [_passage_key(each) for each in example.positives]
        negatives = [_passage_key(each) for each in example.trained_negatives]
        self.pairs.add(key(example.query.text), positives, negatives)
        if self.wants_other and example.hard_negatives:
            self._see_others(example, positives)
        first = example.positives[0]
        if is_number(example.query.text) or is_number(first.text):
            self._found("no_words", partial(_asked, example, first))
        if len(first.title) > max(PARAGRAPH, len(first.text)):
            self._found("title_longer_than_text", partial(excerpt, first.title))
        if self.wants_hard and example.other_negatives and not example.hard_negatives:
            self._found("others_for_hard", partial(_asked, example, first))
        for each in example.positives:
            if not each.text or each.text.isspace():
                self._found("empty_positive", partial(_asked, example, each))
        for each in example.trained_negatives:
            if not each.text or each.text.isspace():
                self._found("empty_hard_negative", partial(_asked, example, each))
        row = len(self.rows)
        if example.answers and (row <= ALWAYS_ASKED or row % self.sampled == 0):
            self._see_answers(example)

    def late(self) -> Late:
        """Also questions that come back with another positive; premises of NLI data do by nature."""
        return {**super().late(), "other_positive": self.pairs.other_positives()}

    def _see_others(self, example: DprExample, positives: Sequence[int]) -> None:
        self.tally.totals["other negatives"] += len(example.other_negatives)
        for each in example.other_negatives:
            if _passage_key(each) in positives:
                self._found("positive_is_other_negative", partial(_asked, example, each))

    def _see_answers(self, example: DprExample) -> None:
        totals, answers = self.tally.totals, example.answers
        totals["positive_lacks_answer"] += 1
        if not any(has_answer(each.text, answers) for each in example.positives):
            self._found("positive_lacks_answer", partial(_asked, example, example.positives[0]))
        negatives = example.trained_negatives if self.sampled == 1 else example.trained_negatives[:1]
        totals["hard_negative_has_answer"] += len(negatives)
        for each in negatives:
            if has_answer(each.text, answers):
                self._found("hard_negative_has_answer", partial(_asked, example, each))


class SimcseCheck(QuickCheck[SimcseExample]):
    """Sentences, pairs and triplets. Sentences are the same when they are but for case."""

    def see(self, example: SimcseExample) -> None:
        """Look at one example."""
        anchor = key(example.anchor)
        texts = [example.anchor, *([] if example.positive is None else [example.positive])]
        if any(map(is_number, texts)):
            self._found("no_words", partial(excerpt, " → ".join(texts)))
        if any(each[:1] == each[-1:] == '"' and '""' in each[1:-1] for each in texts):
            self._found("quotes_of_csv", partial(excerpt, " → ".join(texts)))
        if example.positive is None:
            self.pairs.add(anchor, (anchor,), ())
            return
        positive, negatives = key(example.positive), [key(each) for each in example.hard_negatives]
        if positive == anchor:
            self._found("positive_is_anchor", partial(excerpt, example.anchor))
        for each, text in zip(negatives, example.hard_negatives, strict=True):
            if each == anchor:
                self._found("hard_negative_is_anchor", partial(excerpt, text))
        # as in training, the anchor itself is no negative of its own
        known = (positive, anchor) if positive != anchor else (positive,)
        self.pairs.add(anchor, known, [each for each in negatives if each != anchor])


def is_number(text: str) -> bool:
    """Whether a text is digits alone."""
    return text.strip().isdecimal()


def key(text: str) -> int:
    """The hash by which questions and sentences are the same, without case: no uncased model tells them apart."""
    return hash(" ".join(text.split()).lower())


def _passage_key(passage: Passage) -> int:
    return key(passage.text or passage.title)


def _asked(example: DprExample, passage: Passage) -> str:
    answers = f" ({excerpt(', '.join(example.answers[:3]))})" if example.answers else ""
    return f"{excerpt(example.query.text)}{answers} → [{passage.id}] {excerpt(passage.text)}"
