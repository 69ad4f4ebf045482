"""What is looked at in each kind of training data."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Generic

from retriever.choices import DataKind, TextRole
from retriever.config.data import DataCheckConfig
from retriever.data.dpr import NeedsCorpus, NotInCorpus, locate_dpr_examples, read_named_positives
from retriever.data.hub import at_split
from retriever.data.simcse import OneKind
from retriever.errors import InputError
from retriever.inspection.corpus import Corpus, UsedPassages
from retriever.inspection.finding import Finding, excerpt
from retriever.inspection.held_out import HeldOutFiles
from retriever.inspection.pairs import Numbers
from retriever.inspection.rows import DprCheck, Late, QuickCheck, Record, SimcseCheck
from retriever.inspection.texts import DistinctTexts, Role
from retriever.protocols import Progress
from retriever.records import DprExample, Passage, SimcseExample

MANY_FALSE_NEGATIVES = 0.05
"""Expected false negatives a row of the batch that are worth a warning; training warns of as many duplicate positives."""

TOLD = 1000
"""Rows after which progress is told: a bar that moves with each takes as long as the row."""

READERS = logging.getLogger("retriever.data")

Refuse = Callable[[InputError], None]


def text_of(example: DprExample | SimcseExample) -> str:
    """The question, or the anchor."""
    return example.query.text if isinstance(example, DprExample) else example.anchor


class Doctor(Generic[Record]):
    """What both kinds share: the rows are read once, and some of them again for the examples."""

    kind: DataKind

    def __init__(self, config: DataCheckConfig, check: QuickCheck[Record]) -> None:
        self.train, self.batch_size = config.train, config.batch_size
        self.check: QuickCheck[Record] = check
        self.held_out = HeldOutFiles(check.places, config.near_duplicate, self.kind)
        if config.dev is not None:
            self.held_out.add(config.dev, "dev")
        for path in config.test:
            self.held_out.add(path, "test")

    def examine(self, progress: Progress) -> None:
        """Read the training data."""
        with progress(None, "check rows") as advance:
            for path in self.train:
                for example in self.check.watch(path, self.located(path, self._refuse)):
                    row = len(self.check.rows) - 1
                    self.see(row, example)
                    if row % TOLD == TOLD - 1:
                        advance(TOLD)
            advance(len(self.check.rows) % TOLD)
        totals, counts = self.check.tally.totals, self.check.tally.counts
        totals["refused"] = len(self.check.rows) + counts["refused"] + counts["positive_not_in_corpus"]

    def findings(self) -> list[Finding]:
        """What is wrong with the rows that were read."""
        truncated: list[Finding] = [finding for each in self.texts() for finding in each.findings()]
        self.check.settle(self.late(), self._describe)
        return [*self.check.findings(), *truncated, *self.held_out.findings(), *self._false_negatives()]

    def located(self, path: Path, refuse: Refuse) -> Iterator[tuple[int, Record]]:
        """The rows of a file with their lines."""
        raise NotImplementedError

    def see(self, row: int, example: Record) -> None:
        """Look at one row."""
        raise NotImplementedError

    def texts(self) -> Sequence[DistinctTexts]:
        """The texts of the rows."""
        raise NotImplementedError

    def late(self) -> Late:
        """As of the check, what it does not look for."""
        return {}

    def _refuse(self, error: InputError) -> None:
        if isinstance(error, NeedsCorpus):
            raise error
        name = "positive_not_in_corpus" if isinstance(error, NotInCorpus) else "refused"
        self.check.tally.add(name, f"{error.path}:{error.line}", error.message)

    def _describe(self, rows: Sequence[int]) -> Mapping[int, str]:
        """What the rows say, read again up to the last of them."""
        files = (self.located(path, lambda error: None) for path in self.train)
        first = islice((example for file in files for _, example in file), max(rows) + 1)
        wanted, before = set(rows), READERS.level
        READERS.setLevel(logging.ERROR)  # what they warn of was said when they read it first
        try:
            return {row: excerpt(text_of(each)) for row, each in enumerate(first) if row in wanted}
        finally:
            READERS.setLevel(before)

    def _false_negatives(self) -> Iterator[Finding]:
        batch_size, rows = self.batch_size, len(self.check.rows)
        found = self.check.pairs.false_negatives(batch_size)
        if not found.rows:
            return
        yield Finding(
            name="false_in_batch_negatives",
            severity="warning" if found.expected > MANY_FALSE_NEGATIVES * min(batch_size, rows) else "note",
            message="share a positive with other rows: a batch of "
            f"{batch_size} is expected to hold {found.expected:.3g} false in-batch negatives",
            count=found.rows,
            total=rows,
            of="rows",
            remedy="ctl leaves them out of the loss, so that those rows have fewer negatives; a trainer that does not "
            "must never put two such rows into one batch.",
            value=found.expected,
        )


class DprDoctor(Doctor[DprExample]):
    """Questions with their passages, and the corpus."""

    kind = "dpr"

    def __init__(self, config: DataCheckConfig) -> None:
        _require_defaults(config, "max_length", of="sentences", found="questions")
        super().__init__(config, DprCheck())
        tally = self.check.tally
        self._queries = DistinctTexts(
            Role("questions", config.query_max_length, _counter(config, "query")), tally
        )
        self._passages = DistinctTexts(
            Role("passages", config.passage_max_length, _counter(config, "passage")), tally
        )
        self._used = UsedPassages(keep_positives=config.passages is not None)
        self._corpus: Corpus | None = None
        if config.passages is not None:
            files = [at_split(each, "train") for each in config.train if not each.is_dir()]
            wanted = {name for file in files for name in read_named_positives(file)}
            self._corpus = Corpus(config.passages, wanted, self._passages, tally)

    def located(self, path: Path, refuse: Refuse) -> Iterator[tuple[int, DprExample]]:
        """The rows of a file with their lines."""
        named: Mapping[str, Passage] | None = None if self._corpus is None else self._corpus.named
        return locate_dpr_examples(path, named, refuse=refuse)

    def see(self, row: int, example: DprExample) -> None:
        """Look at one row."""
        place = self.check.rows[row]
        self._queries.add(place, example.query.text)
        for each in (*example.positives, *example.trained_negatives):
            self._passages.add(place, each.text, each.title)
        self._used.see(row, example)
        self.held_out.texts.compare(place, example.query.text)

    def texts(self) -> Sequence[DistinctTexts]:
        """The texts of the rows."""
        return self._queries, self._passages

    def late(self) -> Late:
        """Ids with several texts, and positives that are strangers to the corpus."""
        totals, counts = self.check.tally.totals, self.check.tally.counts
        conflicts, totals["id_with_other_text"] = self._used.conflicts()
        found: dict[str, tuple[Numbers, Numbers | None]] = {"id_with_other_text": (conflicts, None)}
        if self._corpus is not None:
            missing, differing = self._corpus.strangers(self._used)
            totals["passage_differs_from_corpus"] = len(self._used.rows)
            totals["positive_not_in_corpus"] = len(self._used.rows) + counts["positive_not_in_corpus"]
            found["positive_not_in_corpus"] = (missing, None)
            found["passage_differs_from_corpus"] = (differing, None)
        return found


class SimcseDoctor(Doctor[SimcseExample]):
    """Sentences, pairs and triplets."""

    kind = "simcse"

    def __init__(self, config: DataCheckConfig) -> None:
        if config.passages is not None:
            raise InputError(
                "passages are the corpus of questions, and these are sentences", path=config.train[0]
            )
        for name in ("query_max_length", "passage_max_length", "passage_format"):
            _require_defaults(config, name, of="questions and passages", found="sentences")
        super().__init__(config, SimcseCheck())
        self._one_kind = OneKind()
        self._sentences = DistinctTexts(
            Role("sentences", config.max_length, _counter(config, None)), self.check.tally
        )

    def located(self, path: Path, refuse: Refuse) -> Iterator[tuple[int, SimcseExample]]:
        """The rows of a file with their lines."""
        return self._one_kind.locate(path, refuse=refuse)

    def see(self, row: int, example: SimcseExample) -> None:
        """Look at one row."""
        place = self.check.rows[row]
        positive = () if example.positive is None else (example.positive,)
        for text in (example.anchor, *positive, *example.hard_negatives):
            self._sentences.add(place, text)
            self.held_out.texts.compare(place, text)

    def texts(self) -> Sequence[DistinctTexts]:
        """The texts of the rows."""
        return (self._sentences,)


def _require_defaults(config: DataCheckConfig, name: str, *, of: str, found: str) -> None:
    """InputError where a setting was given that means nothing for these data."""
    default = next(each.default for each in fields(config) if each.name == name)
    if getattr(config, name) != default:
        raise InputError(f"{name} is of {of}, and these are {found}", path=config.train[0])


def _counter(
    config: DataCheckConfig, role: TextRole | None
) -> Callable[[Sequence[tuple[str, str]]], Sequence[int]] | None:
    if config.model is None:
        return None
    from retriever.encoding.token_counts import token_counter

    return token_counter(config.model, role, config.passage_format)
