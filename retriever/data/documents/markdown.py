"""Markdown, by way of HTML: CommonMark with tables. The only file that imports markdown_it."""

import re
from pathlib import Path

from retriever.data.documents.document import Document
from retriever.data.documents.html import document_of
from retriever.data.documents.text import decode
from retriever.errors import InputError

# It begins with a key: else the two lines are rulers, and between them stands text.
_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\n([\w.-]+[ \t]*[:=].*?\n)\1[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(\S.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_DEEPEST = 200
"""Levels of quotes and lists; markdown-it drops what lies deeper, and stops at 20 if it is not told."""


def read_markdown(data: bytes, path: Path) -> Document:
    """Markdown without its marks and front matter; the title is the front matter's, else the first heading.

    Raises:
        InputError: not UTF-8, or markdown-it-py or selectolax is not installed.
        NoText: binary, or without text.
    """
    text = decode(data, path)
    front = _FRONT_MATTER.match(text)
    title = ""
    if front is not None:
        text = text[front.end() :]
        title = _front_title(front[2])
    document = document_of(_to_html(text), title)
    if title or not document.headings:
        return document
    return Document(document.headings[0][1], document.text, document.headings)


def _front_title(front: str) -> str:
    found = _TITLE.search(front)
    value = found[1] if found else ""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return "" if value[:1] in ("|", ">") else value  # a YAML text on the lines that follow


def _to_html(text: str) -> str:
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise InputError(
            "Markdown needs markdown-it-py: pip install 'contrastive-text-learning[documents]'"
        ) from None
    parser = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    # Links are never followed; one that it holds unsafe, such as data:, would stay in the text with all its letters.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return str(parser.render(text))
