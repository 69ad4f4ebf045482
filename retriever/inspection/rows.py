"""The quick part: looks at training examples while they stream by, and keeps hashes of them only."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from retriever.data.answers import has_answer
from retriever.inspection.finding import EXAMPLES, Finding, Places, Tally, excerpt, folded, hashes
from retriever.inspection.kinds import findings_of
from retriever.inspection.pairs import Numbers, Pairs
from retriever.records import DprExample, Passage, SimcseExample

Describe = Callable[[Sequence[int]], Mapping[int, str]]
Late = Mapping[str, tuple[Numbers, Numbers | None]]
Record = TypeVar("Record", DprExample, SimcseExample)


class QuickCheck(Generic[Record]):
    """What both kinds of data share; ``see`` looks at one example.

    Args:
        sampled: look at the answers of every so many questions only; 1: of all.
    """

    def __init__(self, sampled: int = 1) -> None:
        self.places = Places()
        self.tally = Tally(self.places)
        self.pairs = Pairs()
        self.rows = hashes()  # the place of each
        self.sampled = sampled

    def watch(self, path: Path, located: Iterable[tuple[int, Record]]) -> Iterator[Record]:
        """The examples of a file, looked at as they are taken."""
        start = self.places.file(path)
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
        self.tally.totals["rows"] = len(self.pairs)
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
        """What training says before its first step, graver than a note, in a sentence each."""
        self.settle()
        return [
            f"{each.count:,} of {each.total:,} {each.of} that were looked at {each.message} "
            f"({', '.join(example.place for example in each.examples)}). {each.remedy}"
            for each in self.findings()
            if each.severity != "note"
        ]

    def _place(self, row: int) -> str:
        return self.places.show(self.rows[row])

    def _found(self, name: str, text: str | Callable[[], str] = "") -> None:
        self.tally.add(name, self.rows[-1], text)


class DprCheck(QuickCheck[DprExample]):
    """Questions with passages. Passages are the same when their texts are, whatever their titles."""

    def see(self, example: DprExample) -> None:
        """Look at one example."""
        positives, negatives = example.positives, example.hard_negatives
        totals = self.tally.totals
        totals["empty_positive"] += len(positives)
        totals["empty_hard_negative"] += len(negatives)
        totals["positive_is_hard_negative"] += len(negatives)
        for name, passages in (("empty_positive", positives), ("empty_hard_negative", negatives)):
            for each in passages:
                if not each.text or each.text.isspace():
                    self._found(name, partial(_asked, example, each))
        self.pairs.add(
            hash(folded(example.query.text)), list(map(_key, positives)), list(map(_key, negatives))
        )
        if example.answers and len(self.rows) % self.sampled == 0:
            self._see_answers(example)

    def late(self) -> Late:
        """Also questions that come back with another positive; premises of NLI data do by nature."""
        return {**super().late(), "other_positive": self.pairs.other_positives()}

    def _see_answers(self, example: DprExample) -> None:
        totals, answers = self.tally.totals, example.answers
        totals["positive_lacks_answer"] += 1
        if not any(has_answer(each.text, answers) for each in example.positives):
            self._found("positive_lacks_answer", partial(_asked, example, example.positives[0]))
        negatives = example.hard_negatives if self.sampled == 1 else example.hard_negatives[:1]
        totals["hard_negative_has_answer"] += len(negatives)
        for each in negatives:
            if has_answer(each.text, answers):
                self._found("hard_negative_has_answer", partial(_asked, example, each))


class SimcseCheck(QuickCheck[SimcseExample]):
    """Sentences, pairs and triplets. Sentences are the same when they are but for case and white space."""

    def see(self, example: SimcseExample) -> None:
        """Look at one example."""
        anchor = hash(folded(example.anchor))
        negatives = [hash(folded(each)) for each in example.hard_negatives]
        totals = self.tally.totals
        totals["hard_negative_is_anchor"] += len(negatives)
        totals["positive_is_hard_negative"] += len(negatives)
        if example.positive is None:
            self.pairs.add(anchor, (anchor,), ())
            return
        positive = hash(folded(example.positive))
        totals["positive_is_anchor"] += 1
        if positive == anchor:
            self._found("positive_is_anchor", partial(excerpt, example.anchor))
        for each, text in zip(negatives, example.hard_negatives, strict=True):
            if each == anchor:
                self._found("hard_negative_is_anchor", partial(excerpt, text))
        # as in training, the anchor itself is no negative of its own
        known = (positive, anchor) if positive != anchor else (positive,)
        self.pairs.add(anchor, known, [each for each in negatives if each != anchor])


def _key(passage: Passage) -> int:
    return hash(passage.text or passage.title)


def _asked(example: DprExample, passage: Passage) -> str:
    answers = f" ({excerpt(', '.join(example.answers[:3]))})" if example.answers else ""
    return f"{excerpt(example.query.text)}{answers} → [{passage.id}] {excerpt(passage.text)}"
