"""PDF files: the text that is in them; pictures of text are none. The only file that imports pypdf."""

import logging
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from retriever.data.documents.document import Document, NoText, Paragraph, clean, compose
from retriever.errors import InputError

if TYPE_CHECKING:
    from pypdf import PdfReader

logger = logging.getLogger(__name__)

_LIGATURES = re.compile("[\ufb00-\ufb06]")  # ﬁ as one sign: a word that no query is written with
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W\d_])([-\u2010\u00ad])[^\S\n]*\n[^\S\n]*(?=(\w))")
_LEADER = re.compile(r"(?:\.[^\S\n]?){5,}")  # the dots of a table of contents, each of which would be a word
_NO_TITLE = re.compile(
    r"untitled|microsoft (?:word|powerpoint|excel)\b.*|(?:word|powerpoint|excel) - .*|.*\.(?:docx?|rtf|odt|tex|dvi|indd|qxd|pdf|pptx?|xlsx?|html?)"
    r"|[\W\d_]*",
    re.IGNORECASE,
)


def read_pdf(data: bytes, path: Path) -> Document:
    """The text of all pages. The title is the one in the metadata, where that looks like one.

    Raises:
        InputError: pypdf is not installed.
        NoText: encrypted, damaged, or without text on any page.
    """
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError
    except ImportError:
        raise InputError("PDF needs pypdf: pip install 'contrastive-text-learning[documents]'") from None
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):  # many are encrypted with an empty password
            raise NoText("encrypted PDF")
        pages = [page.extract_text() for page in reader.pages]
        title = _sane_title(reader)
    except NoText:
        raise
    except DependencyError:
        raise NoText("encrypted PDF (AES, which needs: pip install cryptography)") from None
    except Exception as error:  # a damaged file makes pypdf stumble in any of its lines
        logger.warning("%s: %s: %s", path, type(error).__name__, error)
        raise NoText("damaged PDF") from None
    empty = sum(not clean(page) for page in pages)
    if empty == len(pages):
        raise NoText("PDF without text (pictures of pages?)")
    paragraphs = map(Paragraph, mended("\n".join(page.strip("\n") for page in pages)).split("\n\n"))
    return compose(title, paragraphs, pages_without_text=empty)


def mended(text: str) -> str:
    r"""Text of pages with the words whole that a line end had parted, ligatures as letters, leaders as one …, no half characters.

    A hyphen at a line end goes where a small letter follows: ``"re-\ntrieval"`` becomes ``"retrieval"``, but
    ``"Jean-\nPaul"`` ``"Jean-Paul"``. A word with a hyphen of its own that was broken just there loses it.
    """
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    joined = _LINE_END_HYPHEN.sub(lambda found: "" if found[2].islower() else found[1], whole)
    return _LIGATURES.sub(lambda found: normalize("NFKC", found[0]), _LEADER.sub("… ", joined))


def _sane_title(reader: "PdfReader") -> str:
    """The metadata's title, unless it is empty, a file's name or what a program put there."""
    value = reader.metadata.title if reader.metadata is not None else None
    title = clean(mended(str(value or "")))
    return "" if _NO_TITLE.fullmatch(title) else title
