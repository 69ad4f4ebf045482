"""Plain text, and the decoding of everything that is text."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from retriever.data.documents.document import Document, NoText, Paragraph, compose
from retriever.errors import InputError

_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")


def read_text(data: bytes, path: Path) -> Document:
    """Plain text: paragraphs are parted by blank lines; it has no title of its own.

    Raises:
        InputError: not UTF-8.
        NoText: binary, or nothing but white space.
    """
    return compose("", map(Paragraph, _BLANK_LINES.split(decode(data, path))))


def decode(data: bytes, path: Path, encoding: str = "utf-8") -> str:
    r"""The text of a file without byte order mark, every line end as ``\n``.

    Raises:
        InputError: not in this encoding, with the line.
        NoText: binary.
    """
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise InputError("UTF-16, expected UTF-8", path=path)
    if b"\0" in data:
        raise NoText("binary")
    try:
        text = data.decode(encoding)
    except UnicodeError as error:  # of some codecs without a place
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        name = {"utf-8": "UTF-8"}.get(encoding, f"{encoding}, which it says it is")
        raise InputError(f"not {name}", path=path, line=line) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
