"""A file of text → a document, by the file's name."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from retriever.data.documents.document import Document, NoText, clean
from retriever.data.documents.html import read_html
from retriever.data.documents.markdown import read_markdown
from retriever.data.documents.pdf import read_pdf
from retriever.data.documents.text import read_text
from retriever.data.lines import EmptyFile, format_of, open_input

READERS: dict[str, Callable[[bytes, Path], Document]] = {
    ".txt": read_text,
    ".text": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".pdf": read_pdf,
}


def require_kind(path: Path, as_text: Collection[str] = ()) -> None:
    """Check that the name is one of a kind of file that is read.

    Raises:
        NoText: it is not; the reason is its suffix.
    """
    kind = format_of(path)
    if kind not in READERS and kind not in as_text:
        raise NoText(f"suffix {kind}" if kind else "no suffix")


def read_bytes(path: Path) -> bytes:
    """A file's bytes, decompressed when the name ends in ``.gz``.

    Raises:
        InputError: it cannot be read.
        NoText: it is empty.
    """
    try:
        with open_input(path) as file:
            return file.read()
    except EmptyFile:
        raise NoText("empty") from None


def read_document(data: bytes, path: Path, as_text: Collection[str] = ()) -> Document:
    """The document in the bytes of a file; one without a title has the file's name, without suffixes.

    Args:
        data: the bytes, decompressed.
        path: the file, whose suffix says what it is.
        as_text: further suffixes, in lower case and with their dot, of files that are plain text.

    Raises:
        InputError: text in another encoding, or a library is missing.
        NoText: nothing in it that could be read.
    """
    kind = format_of(path)
    document = (read_text if kind in as_text else READERS[kind])(data, path)
    return document if document.title else replace(document, title=_stem(path))


def _stem(path: Path) -> str:
    name = path.stem if path.suffix.lower() == ".gz" else path.name
    return clean(Path(name).stem)
