"""What every format is read into and written from: questions with their passages, and what a format can hold of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from retriever.choices import DataFormat, Split
from retriever.errors import InputError
from retriever.records import Passage, Query

T = TypeVar("T")
GRADE = "grade"
"""The note that keeps the grade of a judged passage; a positive without it has grade 1."""


@dataclass(frozen=True, slots=True)
class Context:
    """A passage of a question.

    Args:
        id: its id; where the file gives none, ``records.content_id``.
        text: None if the file names the passage only, and the corpus has the text.
        title: its title.
        named: whether the file gave the id.
        notes: what else the file says of the passage: score, rank, source, grade …
    """

    id: str
    text: str | None = None
    title: str = ""
    named: bool = True
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passage(self) -> Passage:
        """The passage, whose text must be known."""
        if self.text is None:
            raise ValueError(f"passage {self.id} has no text")
        return Passage(self.id, self.text, self.title)


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its passages and whatever else the file says of it (``fields``).

    Args:
        query: the question; without id in the file its number there is its id.
        line: where it stands.
        named: whether the file gave the id.
    """

    query: Query
    answers: tuple[str, ...] = ()
    positives: tuple[Context, ...] = ()
    hard_negatives: tuple[Context, ...] = ()
    other_negatives: tuple[Context, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    named: bool = True
    line: int = 0


@dataclass(slots=True)
class Report:
    """What a conversion read, wrote, made, changed and dropped, counted by name."""

    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be read: a file, folder or data set, and the split that is meant."""

    path: Path
    report: Report
    split: Split | None = None


LocatedPassages = Iterator[tuple[str, Passage]]
"""Passages, and where each stands: ``corpus.jsonl:17``."""


@dataclass(frozen=True, slots=True)
class Data:
    """What was read: the file whose lines the examples name, the examples, streamed once, and the corpus that came with them."""

    path: Path
    examples: Iterator[Example]
    corpus: LocatedPassages | None = None
    split: Split | None = None
    ids_made: bool = False
    """Whether the passages of the corpus came without ids."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written, and where."""

    path: Path
    report: Report
    split: Split = "train"
    num_hard_negatives: int | None = None

    def counted(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The examples, each counted as written when the next is asked for."""
        for example in examples:
            yield example
            self.report.written["questions"] += 1


def some(values: Iterable[T], target: Target) -> Iterator[T]:
    """The values, of which there must be one.

    Raises:
        InputError: there was none; it names what was dropped instead.
    """
    empty = True
    for each in values:
        empty = False
        yield each
    if empty:
        dropped = target.report.dropped.items()
        why = ", ".join(f"{count:,} {name}" for name, count in dropped if name.startswith("questions"))
        raise InputError(f"nothing is left to be written{f' ({why})' if why else ''}", path=target.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What a format can hold; the rest is dropped and counted.

    Args:
        question_ids: ids of questions.
        answers: answer strings.
        positives: positive passages.
        hard_negatives: hard negatives.
        other_negatives: other negatives, beside the hard ones.
        unanswered: questions without a positive passage.
        passage_ids: ids of passages.
        made_ids: every passage must have an id, made of its content if need be.
        titles: titles of passages.
        corpus: passages that no question names.
        notes: the notes of passages by name; None: any.
        fields: the other fields of questions by name; None: any.
        reserved: names that mean something in the format, and so cannot be notes or fields.
    """

    question_ids: bool = True
    answers: bool = False
    positives: bool = True
    hard_negatives: bool = False
    other_negatives: bool = False
    unanswered: bool = False
    passage_ids: bool = True
    made_ids: bool = False
    titles: bool = True
    corpus: bool = False
    notes: frozenset[str] | None = frozenset()
    fields: frozenset[str] | None = frozenset()
    reserved: frozenset[str] = frozenset()


Write = Callable[[Target, Iterable[Example], Callable[[], Iterator[Passage]]], None]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name, its reader and writer, what it can hold, and what its files are called (none: a folder).

    The writer takes the target, the examples, already without what the format cannot hold, and a function that gives the
    corpus when all examples are written.
    """

    name: DataFormat
    read: Callable[[Source], Data]
    write: Write
    holds: Holds
    suffixes: tuple[str, ...] = ()
