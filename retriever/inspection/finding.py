"""What the doctor found: how often, where, and what to do about it."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from retriever.choices import Severity

EXAMPLES = 3
"""Shown of each finding."""

SHOWN = 120
"""Characters of a text that are shown."""

_LINES = 40
"""Bits of a place for the line."""


@dataclass(frozen=True, slots=True)
class Example:
    """One case: ``file:line``, and what stands there."""

    place: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of fault.

    Attributes:
        name: for programs.
        severity: note, warning or error.
        message: what is wrong, for people, in one clause.
        count: how many have it.
        total: of how many that were looked at.
        of: what is counted: rows, questions, passages …
        remedy: what to do, in one sentence.
        examples: the first ones.
        value: the number that the message is about, where that is no count.
    """

    name: str
    severity: Severity
    message: str
    count: int
    total: int
    of: str
    remedy: str
    examples: tuple[Example, ...] = ()
    value: float | None = None

    @property
    def share(self) -> float:
        """Of those that were looked at."""
        return self.count / self.total if self.total else 0.0


class Places:
    """Files and lines as numbers of eight bytes."""

    def __init__(self) -> None:
        self._paths: list[Path] = []

    def file(self, path: Path) -> int:
        """The place of a file's line 0: add the line."""
        self._paths.append(path)
        return (len(self._paths) - 1) << _LINES

    def show(self, place: int) -> str:
        """``train.jsonl:17``."""
        return f"{self._paths[place >> _LINES]}:{place & ((1 << _LINES) - 1)}"


@dataclass
class Tally:
    """Counts cases by the name of their kind, and keeps the first ones; ``totals``: of how many, by name or by what is counted."""

    places: Places
    counts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, place: int | str, text: str | Callable[[], str]) -> None:
        """One more case; place and text are made only if they will be shown."""
        self.counts[name] += 1
        if len(self.examples[name]) < EXAMPLES:
            self.examples[name].append(
                Example(
                    place if isinstance(place, str) else self.places.show(place),
                    text if isinstance(text, str) else text(),
                )
            )


def excerpt(text: str, at: int = 0) -> str:
    """The text around a position, its beginning by default, on one line; characters that cannot be seen as escapes."""
    start = max(0, at - SHOWN // 3)
    shown = " ".join(text[start : start + 4 * SHOWN].split())
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
    shown = f"…{shown}" if start else shown
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)


def folded(text: str) -> str:
    """The text without case and with single spaces: what an uncased model reads of it."""
    return " ".join(text.lower().split())


def hashes() -> "array[int]":
    """An empty list of 64-bit numbers: Python's own hashes of strings, which hold for one process and cost next to nothing."""
    return array("q")
