"""A document's text → passages: disjoint blocks of 100 words, as DPR cut Wikipedia (section 4.1)."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retriever.choices import LastBlock
from retriever.data.documents.document import Document

# Han, Hiragana, Katakana, Thai, Lao, Burmese and Khmer are written without spaces: each letter is a word of its own,
# with the marks and closing signs behind it and the brackets that open before it.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_OPENING = "(\\[{\u2018\u201c\u3008\u300a\u300c\u300e\u3010\u3014\uff08"
_LONGEST_WORD = 100
"""Characters; of a longer run without a space, such as an encoded file, every hundred count as a word."""
_WORD = re.compile(
    rf"[{_OPENING}]{{0,9}}[{_SPACELESS}][^\w\s{_OPENING}]{{0,{_LONGEST_WORD}}}|[^\s{_SPACELESS}]{{1,{_LONGEST_WORD}}}"
)
_CLOSING = "['\")\\]\u2019\u201d\u00bb\u300b\u300d\u300f\uff09]*"
_SENTENCE_END = re.compile(f"\n|[.!?\u2026]{_CLOSING} |[\u3002\uff01\uff1f]{_CLOSING}")
_SHORT = 4
"""A last block that adds less than one fourth of what a block adds is short."""


@dataclass(frozen=True, slots=True)
class Block:
    """A passage without id; ``words`` counts those that are in no block before it."""

    title: str
    text: str
    words: int
    cuts_sentence: bool = False


@dataclass(frozen=True, slots=True)
class Splitter:
    """Cuts documents into blocks of words. What is no white space is kept, all of it and in order.

    A word is what stands between spaces; in scripts that are written without spaces, a letter.

    Args:
        words: in a block.
        overlap: words at a block's end with which the next one begins; fewer than ``words``.
        last_block: what becomes of a last block that is short. ``join``: with less than a quarter of a block it is
            joined to the one before, as a few words are a poor passage. ``keep``: it stays. ``wrap``: it is filled
            with words from the document's beginning, as in DPR's Wikipedia, unless the document is shorter than a block.
        sentences: whole sentences, as many as make up to ``words``; one that is longer is cut, and the block says so.
            A sentence ends with a paragraph, or with . ! ? … before a space and no small letter, so after "Dr.", too.
        headings: titles read ``title: heading``, with the last heading at or before the block's first word.
    """

    words: int = 100
    overlap: int = 0
    last_block: LastBlock = "join"
    sentences: bool = False
    headings: bool = False

    def split(self, document: Document) -> Iterator[Block]:
        """The blocks of a document, in order."""
        starts = word_starts(document.text)
        ends = sentence_ends(document.text, starts) if self.sentences else range(len(starts) + 1)
        seen = 0
        for start, end in self._joined(self._ranges(ends), len(starts)):
            text = words_between(document.text, starts, start, end)
            if self.last_block == "wrap" and end == len(starts):
                beginning = min(start, self.words - (end - start))
                text = f"{text} {words_between(document.text, starts, 0, beginning)}".rstrip()
            cut = ends[bisect_left(ends, end)] != end
            yield Block(self._title(document, int(starts[start])), text, end - max(start, seen), cut)
            seen = end

    def _ranges(self, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
        """First word and end of every block; ``ends`` are the words at which a block may end, from 0 to their number."""
        start = 0
        while True:
            end = self._end(ends, start)
            yield start, end
            if end == ends[-1]:
                return
            start = self._next_start(ends, start, end)

    def _end(self, ends: Sequence[int], start: int) -> int:
        last = ends[bisect_right(ends, start + self.words) - 1]
        return last if last > start else start + self.words

    def _next_start(self, ends: Sequence[int], start: int, end: int) -> int:
        """The first place within the overlap from which a block reaches further than this one; it may be the end itself."""
        for place in range(bisect_left(ends, max(end - self.overlap, start + 1)), len(ends)):
            if ends[place] >= end:
                break
            if self._end(ends, ends[place]) > end:
                return ends[place]
        return end

    def _joined(self, ranges: Iterator[tuple[int, int]], total: int) -> Iterator[tuple[int, int]]:
        """The ranges, the last two as one where the last is short and is to be joined."""
        start, end = next(ranges)
        for next_start, next_end in ranges:
            short = (next_end - end) * _SHORT < self.words - self.overlap
            if self.last_block == "join" and next_end == total and short:
                end = next_end
                break
            yield start, end
            start, end = next_start, next_end
        yield start, end

    def _title(self, document: Document, place: int) -> str:
        if not self.headings:
            return document.title
        number = bisect_right(document.headings, place, key=lambda heading: heading[0])
        heading = document.headings[number - 1][1] if number else ""
        return f"{document.title}: {heading}" if heading not in ("", document.title) else document.title


def word_starts(text: str) -> NDArray[np.int64]:
    """Where each word of a document's text begins."""
    return np.fromiter((found.start() for found in _WORD.finditer(text)), dtype=np.int64)


def words_between(text: str, starts: NDArray[np.int64], first: int, end: int) -> str:
    """Words ``first`` to ``end - 1`` as they stand in the text; the ends of paragraphs are spaces."""
    stop = starts[end] if end < len(starts) else len(text)
    return text[starts[first] : stop].rstrip().replace("\n", " ")


def sentence_ends(text: str, starts: NDArray[np.int64]) -> list[int]:
    """0, the word after each sentence's last, and the number of words."""
    found = (each.end() for each in _SENTENCE_END.finditer(text) if not _goes_on(text, each))
    places = np.fromiter(found, dtype=np.int64)
    return sorted({0, len(starts), *np.searchsorted(starts, places).tolist()})


def _goes_on(text: str, end: re.Match[str]) -> bool:
    return end[0] != "\n" and text[end.end() : end.end() + 1].islower()
