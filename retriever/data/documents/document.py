"""What every kind of file becomes: a title and paragraphs of clean text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

# Control characters that are no white space, the soft hyphen and the byte order mark: signs that nobody sees.
_UNSEEN = dict.fromkeys([*range(0x09), *range(0x0E, 0x1C), 0x7F, 0xAD, 0xFEFF])
_GAP = re.compile(r"[^\S ]\s*| \s+")  # white space that is no single space


class NoText(Exception):
    """A file without text that could be read: the reason, a few words that count such files together, and of a copy the original."""


class Paragraph(NamedTuple):
    """A paragraph, list item, row of a table, or a heading, which then has its level."""

    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A document's text, one paragraph a line, words parted by single spaces.

    ``headings`` holds where in the text each heading begins, and what it says.
    """

    title: str
    text: str
    headings: tuple[tuple[int, str], ...] = ()
    pages_without_text: int = 0


def clean(text: str) -> str:
    """The text with single spaces for all white space, and without signs that nobody sees."""
    return _GAP.sub(" ", text.translate(_UNSEEN)).strip()  # str.split would make an object of every word


def compose(title: str, paragraphs: Iterable[Paragraph], *, pages_without_text: int = 0) -> Document:
    """A document of cleaned paragraphs; those without text are no paragraphs.

    Raises:
        NoText: none is left.
    """
    lines: list[str] = []
    headings: list[tuple[int, str]] = []
    place = 0
    for paragraph in paragraphs:
        line = clean(paragraph.text)
        if not line:
            continue
        if paragraph.level:
            headings.append((place, line))
        lines.append(line)
        place += len(line) + 1
    if not lines:
        raise NoText("no text in it")
    return Document(clean(title), "\n".join(lines), tuple(headings), pages_without_text)
