"""Whatever the bytes are: a document with clean text, no text for a reason, or an error that names the file."""

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retriever.data.documents.document import NoText
from retriever.data.documents.read import READERS, read_bytes, read_document
from retriever.data.split import Splitter
from retriever.errors import InputError
from tests.data.documents.pdf_files import pdf

PAGE = (
    '<?xml version="1.0"?><html><head><meta charset="utf-8"><title>A &amp; b</title><script>"</p>"</script></head><body>'
    "<nav>menu</nav><main><h1>One<a href='#o'>¶</a></h1><p hidden>x<p>Größe, <i>two</i></p><table><tr><td>1</table></main>"
).encode()
MARKDOWN = (
    "---\ntitle: T\n---\n# One\n\n> quote\n\n- a\n  - b\n\n|a|b|\n|-|-|\n|1|`2`|\n\n```\ncode\n```\n\n![p](data:x) [l][r]\n\n[r]: /x\n<div>Größe\n"
).encode()
SEEDS = {
    ".txt": "Größe\n\n東京。two\r\n".encode(),
    ".md": MARKDOWN,
    ".html": PAGE,
    ".pdf": pdf([["Dense re-", "trieval (of)"], ["pages"], []], "A title"),
}
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), min_size=1, max_size=4
)


def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """The bytes with some of them, here and there, replaced by others."""
    for place, length, new in edits:
        start = int(place * len(data))
        data = data[:start] + new + data[start + length :]
    return data


@pytest.mark.parametrize("suffix", SEEDS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(edits=EDITS)
def test_broken_bytes_raise_nothing_else(suffix, edits):
    path = Path(f"some{suffix}")
    try:
        document = read_document(edited(SEEDS[suffix], edits), path)
    except NoText as reason:
        assert str(reason)
        return
    except InputError as error:
        assert error.path == path
        return
    assert document.title and not re.search(r"\A\s|\s\Z|\n\n|[^\S\n ]|  | \n|\n ", document.text)
    document.text.encode()  # no half characters
    assert [document.text.startswith(heading, place) for place, heading in document.headings] == [True] * len(
        document.headings
    )
    blocks = list(Splitter(words=3, sentences=True, headings=True).split(document))
    assert "".join(block.text for block in blocks).replace(" ", "") == re.sub(r"\s", "", document.text)


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_the_seeds_themselves_are_read_under_every_suffix_of_their_kind(suffix):
    kind = {".text": ".txt", ".markdown": ".md", ".htm": ".html", ".xhtml": ".html"}.get(suffix, suffix)
    document = read_document(SEEDS[kind], Path(f"some{suffix.upper()}"))
    assert document.title == {".txt": "some", ".md": "T", ".html": "A & b", ".pdf": "A title"}[kind]


@given(st.binary(max_size=200), st.integers(0, 30))
def test_a_gzip_file_is_whole_or_an_error(tmp_path_factory, data, missing):
    packed = gzip.compress(data)
    path = tmp_path_factory.getbasetemp() / "some.txt.gz"
    path.write_bytes(packed[: max(0, len(packed) - missing)])
    try:
        assert read_bytes(path) == data and missing == 0
    except NoText:
        assert not data or missing >= len(packed)
    except InputError as error:
        assert error.message == "not a complete gzip file" and missing
