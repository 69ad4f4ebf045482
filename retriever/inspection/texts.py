"""Distinct texts, a block at a time: lengths, odd characters, and how many are cut."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from retriever.inspection.finding import EXAMPLES, Example, Finding, Tally, excerpt
from retriever.inspection.oddities import oddities

BLOCK = 16_384
"""Texts that wait to be looked at together."""

CHARACTERS_PER_TOKEN = 50
"""Characters for each token of the maximum length from which on a text is absurdly long: English has four or five a token, so
that nine tenths or more are cut."""

TRUNCATED_SHARE = 0.05
"""A larger share of cut texts than this is worth a warning, here and in training."""

Text = tuple[str, str]
"""Title (or nothing) and text."""


@dataclass(frozen=True, slots=True)
class Role:
    """What texts of a kind are called, where they are cut, and what counts their tokens (None: nothing does)."""

    name: str
    max_length: int
    count_tokens: Callable[[Sequence[Text]], Sequence[int]] | None = None


class DistinctTexts:
    """Each different text is looked at once, and remembered in eight bytes."""

    def __init__(self, role: Role, tally: Tally) -> None:
        self._role, self._tally = role, tally
        self._seen = np.zeros(0, np.int64)
        self._waiting: dict[int, tuple[int, Text]] = {}
        self._lengths = array("i")
        self._cut: list[Example] = []

    def add(self, place: int, text: str, title: str = "") -> None:
        """A text and where it stands."""
        self._waiting.setdefault(hash((title, text)), (place, (title, text)))
        if len(self._waiting) >= BLOCK:
            self._look()

    def findings(self) -> list[Finding]:
        """How many are cut, if anything counts their tokens; the rest is in the tally."""
        self._look()
        role, lengths = self._role, np.frombuffer(self._lengths, np.int32) if self._lengths else None
        if lengths is None or not (cut := int((lengths > role.max_length).sum())):
            return []
        return [
            Finding(
                name=f"truncated_{role.name}",
                severity="warning" if cut > TRUNCATED_SHARE * len(lengths) else "note",
                message=f"are longer than {role.max_length} tokens and are cut (95 % have at most "
                f"{int(np.quantile(lengths, 0.95, method='higher'))}, the longest {int(lengths.max())})",
                count=cut,
                total=len(lengths),
                of=role.name,
                remedy="Raise the maximum length, or split them.",
                examples=tuple(self._cut),
            )
        ]

    def _look(self) -> None:
        keys = np.fromiter(self._waiting, np.int64, len(self._waiting))
        place = np.searchsorted(self._seen, keys)  # _seen is sorted
        is_new = self._seen.take(place, mode="clip") != keys if len(self._seen) else np.ones(len(keys), bool)
        new = keys[is_new]  # beyond the last: larger than it
        self._seen = np.sort(np.concatenate([self._seen, new]), kind="stable")  # fast where most are sorted
        found = [self._waiting[key] for key in new.tolist()]
        self._waiting.clear()
        for at, (title, text) in found:
            self._see(at, f"{title} {text}" if title else text)
        if self._role.count_tokens is not None and found:
            self._note_lengths(found, self._role.count_tokens([text for _, text in found]))

    def _see(self, place: int, text: str) -> None:
        self._tally.totals["texts"] += 1
        for name, at in oddities(text):
            self._tally.add(name, place, partial(excerpt, text, at))
        if len(text) > CHARACTERS_PER_TOKEN * self._role.max_length:
            self._tally.add("absurdly_long", place, partial(excerpt, text))

    def _note_lengths(self, found: Sequence[tuple[int, Text]], lengths: Sequence[int]) -> None:
        self._lengths.extend(lengths)
        for (place, (_, text)), length in zip(found, lengths, strict=True):
            if length > self._role.max_length and len(self._cut) < EXAMPLES:
                self._cut.append(Example(self._tally.places.show(place), f"{length} tokens: {excerpt(text)}"))
