"""HTML pages: what a reader would read, in reading order. The only file that imports selectolax."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from retriever.data.documents.document import Document, Paragraph, clean, compose
from retriever.data.documents.text import decode
from retriever.errors import InputError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu ol p pre search section summary table "
    "tbody tfoot thead tr ul".split()
)
"""Elements that begin and end a paragraph; the cells of a table row are parted by a space only."""
_SPACES = frozenset(("br", "td", "th"))
_FURNITURE = frozenset(
    "annotation annotation-xml audio button canvas datalist embed footer head iframe map nav noscript object rp rt "
    "script select style svg template textarea video".split()
)
_ROLES = frozenset(("navigation", "search", "contentinfo"))
_INVISIBLE = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([a-z0-9_:-]+)", re.IGNORECASE)
_XML = re.compile(r"\s*<\?xml\b")
_SELF_CLOSED = re.compile(r"<([a-zA-Z][\w-]*)((?:\s[^<>]*)?)/>")
# The HTML standard's labels: a smaller encoding's name means the larger one.
_AS_BROWSERS_READ = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}


def read_html(data: bytes, path: Path) -> Document:
    """A page's text, without scripts, navigation, footers, forms' controls and what is hidden.

    Where the page marks its main content (``<main>`` or ``role="main"``), that is its text. Its title is ``<title>``,
    else the first ``<h1>``. Bytes are in the encoding that the page declares, else UTF-8.

    Raises:
        InputError: not in that encoding, or selectolax is not installed.
        NoText: binary, or without text.
    """
    return document_of(decode(data, path, declared_encoding(data)))


def document_of(page: str, title: str = "") -> Document:
    """The document of an HTML text; a title that is given stands for the page's own."""
    tree = parse(page)
    paragraphs = list(_paragraphs(_content(tree)))
    own = tree.css_first("head > title")
    first = next((each.text for each in paragraphs if each.level == 1), "")
    return compose(title or (clean(own.text()) if own is not None else "") or first, paragraphs)


def declared_encoding(data: bytes) -> str:
    """The encoding in the first kilobyte's ``<meta charset>``, as browsers understand its name; else UTF-8."""
    found = _CHARSET.search(data[:1024])
    if found is None or data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
        "".encode(name)  # some codecs are of no text: hex, zlib, undefined
    except (LookupError, UnicodeError):
        return "utf-8"
    if name.startswith(("utf-16", "utf-32")):
        return "utf-8"  # a page whose <meta> can be read is neither
    return _AS_BROWSERS_READ.get(name, name)


def parse(page: str) -> "LexborHTMLParser":
    """The tree that a browser would make of the page."""
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError:
        raise InputError(
            "HTML and Markdown need selectolax: pip install 'contrastive-text-learning[documents]'"
        ) from None
    if _XML.match(page):  # in HTML <title/> opens a title, which then swallows the page
        page = _SELF_CLOSED.sub(r"<\1\2></\1>", page)
    return LexborHTMLParser(page)


def _content(tree: "LexborHTMLParser") -> "LexborNode | None":
    """The one element that the page declares its main content, unless it is empty; else the whole page."""
    mains = tree.css("main, [role=main]")
    if len(mains) == 1 and any(clean(each.text) for each in _paragraphs(mains[0])):
        return mains[0]
    return tree.root


def _paragraphs(root: "LexborNode | None") -> Iterator[Paragraph]:
    parts: list[str] = []
    level = 0
    for node, entering in _walk(root):
        if node.is_text_node:
            parts.append(node.text_content or "")
        elif node.tag in _SPACES:
            parts.append(" ")
        elif node.tag in _PARAGRAPHS:
            yield Paragraph("".join(parts), level)
            parts.clear()
            if node.tag in _HEADINGS:
                level = _HEADINGS[node.tag] if entering else 0
    yield Paragraph("".join(parts), level)


def _walk(root: "LexborNode | None") -> Iterator[tuple["LexborNode", bool]]:
    """Every node that can be seen, when it begins and, of elements, when it ends; no recursion, pages nest deeply."""
    waiting = [] if root is None else [(root, True)]
    while waiting:
        node, entering = waiting.pop()
        if entering and node.is_element_node:
            if _is_furniture(node):
                continue
            waiting.append((node, False))
            children = []
            child = node.child
            while child is not None:
                children.append((child, True))
                child = child.next
            waiting += reversed(children)
        yield node, entering


def _is_furniture(node: "LexborNode") -> bool:
    if node.tag in _FURNITURE:
        return True
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _ROLES
        or _INVISIBLE.search(attributes.get("style") or "") is not None
        or (node.tag == "a" and _is_permalink(node, attributes.get("href") or ""))
    )


def _is_permalink(link: "LexborNode", target: str) -> bool:
    """Whether a link into the page is a sign only: the ¶, # or § beside a heading, the ↩ of a footnote."""
    return target.startswith("#") and not any(map(str.isalnum, link.text()))
