"""Near-duplicates between training data and texts that are held out: MinHash and LSH propose, exact Jaccard decides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from unicodedata import normalize
from zlib import crc32

from retriever.data.shingles import jaccard, shingles

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

PERMUTATIONS = 128
MISSED = 1e-4
"""A pair just at the threshold is missed by LSH with at most this probability, one above it with less."""

BLOCK = 4096
"""Training texts that wait to be hashed together."""

_QUOTES = " \"'`\u00b4\u2018\u2019“”„«»"
_ENDS = ".,;:!?…。、\uff01\uff1f"
"""Of a sentence; at its beginning they are something else, as in ``.5``."""

Shingles = frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """A held-out text (its number), the training text most like it so far (its place, the text), and how alike they are.

    Equal runs of words are not equal texts: ``5 + 3`` and ``5 - 3`` have the same words.
    """

    number: int
    place: int
    text: str
    jaccard: float
    word_for_word: bool = False


class HeldOut:
    """Texts that must not be trained on; memory grows with them, not with the training data.

    A training text is compared only if enough of its shingles occur in held-out texts at all: A and B with a Jaccard
    similarity of t or more share at least t·|A| shingles, so none that counts is passed over.

    Args:
        threshold: Jaccard similarity, above 0 and at most 1, from which on texts are near-duplicates.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._texts: list[str] = []
        self._numbers: dict[Shingles, list[int]] = {}
        self._wordless: dict[str, list[int]] = {}
        self._vocabulary: set[str] = set()
        self._waiting: list[tuple[int, str, Shingles]] = []
        self._best: dict[int, Match] = {}

    def add(self, text: str) -> None:
        """Hold a text out; all of them before the first training text."""
        found = shingles(text)
        if found:
            self._numbers.setdefault(found, []).append(len(self._texts))
        else:
            self._wordless.setdefault(_squeezed(text), []).append(len(self._texts))
        self._texts.append(worded(text))
        self._vocabulary |= found

    def compare(self, place: int, text: str) -> None:
        """Compare a training text with all that are held out."""
        found = shingles(text)
        if not found:  # signs alone, such as ``:-)``: only copies are alike
            for number in self._wordless.get(_squeezed(text), ()):
                self._keep(Match(number, place, text, 1.0, word_for_word=True))
            return
        if len(found & self._vocabulary) < self.threshold * len(found):
            return
        for number in self._numbers.get(found, ()):
            self._keep(Match(number, place, text, 1.0, self._texts[number] == worded(text)))
        self._waiting.append((place, text, found))
        if len(self._waiting) == BLOCK:
            self._look_up()

    def matches(self) -> list[Match]:
        """For each held-out text that has one, the training text most like it, the first of equals; in order."""
        self._look_up()
        return [self._best[number] for number in sorted(self._best)]

    def _look_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting or self.threshold == 1:
            return
        index = self._index
        for (place, text, found), sketch in zip(
            waiting, sketches([each[2] for each in waiting]), strict=True
        ):
            for candidate in index.query(sketch):
                alike = jaccard(found, candidate)
                if self.threshold <= alike < 1:
                    for number in self._numbers[candidate]:
                        self._keep(Match(number, place, text, alike))

    def _keep(self, match: Match) -> None:
        best = self._best.get(match.number)
        if best is None or (match.word_for_word, match.jaccard) > (best.word_for_word, best.jaccard):
            self._best[match.number] = match

    @cached_property
    def _index(self) -> "MinHashLSH":
        from datasketch import MinHashLSH

        index = MinHashLSH(num_perm=PERMUTATIONS, params=bands(self.threshold))
        distinct = list(self._numbers)
        for each, sketch in zip(distinct, sketches(distinct), strict=True):
            index.insert(each, sketch, check_duplication=False)
        return index


def worded(text: str) -> str:
    """The text without case, with single spaces, and without the quotes around it and what ends a sentence."""
    return _squeezed(text).lstrip(_QUOTES + "¿¡").rstrip(_QUOTES + _ENDS)


def _squeezed(text: str) -> str:
    """The text without case and with single spaces."""
    return " ".join(normalize("NFC", text).lower().split())


def sketches(sets: "list[Shingles]") -> "list[MinHash]":
    """The MinHash of each set."""
    from datasketch import MinHash

    numbers = [[crc32(each.encode("utf-8", "surrogatepass")) for each in one] for one in sets]
    same: Callable[[int], int] = int  # they are hashes already
    return MinHash.bulk(numbers, num_perm=PERMUTATIONS, hashfunc=same)


def bands(threshold: float) -> tuple[int, int]:
    """Bands and rows of LSH: as many rows, so as few wrong candidates, as leave the probability of a miss below ``MISSED``.

    A pair of similarity t falls into one bucket of none of b bands of r rows with probability (1 − t^r)^b (Leskovec,
    Rajaraman, Ullman, Mining of Massive Datasets, section 3.4).
    """
    fitting = [
        (PERMUTATIONS // rows, rows)
        for rows in range(1, PERMUTATIONS // 2)
        if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= MISSED
    ]
    return max(fitting, key=lambda each: each[1], default=(PERMUTATIONS, 1))
