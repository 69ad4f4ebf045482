import sys
from io import BytesIO
from pathlib import Path

import pytest

from retriever.data.documents.document import NoText
from retriever.data.documents.pdf import mended, read_pdf
from retriever.errors import InputError
from tests.data.documents.pdf_files import pdf

PATH = Path("paper.pdf")


def encrypted(data: bytes, password: str) -> bytes:
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=BytesIO(data))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def test_the_text_of_all_pages_is_one_text_with_parted_words_mended():
    document = read_pdf(pdf([["Dense re-", "trieval of pas-"], ["sages (really)."]], "Dense Retrieval"), PATH)
    assert (document.title, document.text) == ("Dense Retrieval", "Dense retrieval of passages (really).")
    assert (document.headings, document.pages_without_text) == ((), 0)


def test_pages_without_text_are_counted():
    assert read_pdf(pdf([["text"], [], []]), PATH).pages_without_text == 2


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("A paper: about titles", "A paper: about titles"),
        ("", ""),
        (None, ""),
        ("Microsoft Word - draft_3.doc", ""),
        ("final-version.docx", ""),
        ("untitled", ""),
        ("12.34_(5)", ""),
        ("PowerPoint - talk", ""),
        ("Word embeddings", "Word embeddings"),
    ],
)
def test_a_title_that_a_program_made_is_none(title, expected):
    assert read_pdf(pdf([["text"]], title), PATH).title == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("re-\ntrieval", "retrieval"),
        ("re- \n  trieval", "retrieval"),
        ("Jean-\nPaul", "Jean-Paul"),
        ("GPT-\n2", "GPT-2"),
        ("1990-\n1995", "1990-\n1995"),
        ("a - b\nc -\nd", "a - b\nc -\nd"),
        ("of\ufb01ce", "office"),
        ("1 Introduction . . . . . . . . 3\n2 Methods......9", "1 Introduction … 3\n2 Methods… 9"),
        ("wait... what", "wait... what"),
        ("\ud835\udc65 \ud835", "\U0001d465 \ufffd"),
    ],
)
def test_mended(raw, expected):
    assert mended(raw) == expected


def test_an_empty_password_is_none():
    assert read_pdf(encrypted(pdf([["text"]]), ""), PATH).text == "text"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted(pdf([["text"]]), "secret"), "encrypted PDF"),
        (pdf([[], []]), r"PDF without text \(pictures of pages\?\)"),
        (b"%PDF-1.4\nnothing of the kind", "damaged PDF"),
        (b"no PDF at all", "damaged PDF"),
        (pdf([["text"]])[:150], "damaged PDF"),
    ],
)
def test_what_cannot_be_read_has_a_reason(data, reason):
    with pytest.raises(NoText, match=f"^{reason}$"):
        read_pdf(data, PATH)


def test_a_damaged_file_is_named_with_what_is_wrong(caplog):
    with pytest.raises(NoText):
        read_pdf(b"no PDF at all", PATH)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("retriever")] == [
        "paper.pdf: PdfStreamError: Stream has ended unexpectedly"
    ]


def test_without_pypdf_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(InputError) as caught:
        read_pdf(b"", PATH)
    assert str(caught.value) == "PDF needs pypdf: pip install 'contrastive-text-learning[documents]'"
