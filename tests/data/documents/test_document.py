import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.documents.document import NoText, Paragraph, clean, compose

SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\u00a0\u2003\u2028\u2029\u3000"


@given(st.text(st.sampled_from(SPACES + "ab")) | st.text())
def test_clean_is_one_space_for_all_white_space(text):
    visible = "".join(each for each in text if each in SPACES or each.isprintable() or ord(each) > 0xFF)
    assert clean(visible.replace("\ufeff", "")) == " ".join(visible.replace("\ufeff", "").split())


def test_paragraphs_are_lines_and_headings_know_their_place():
    document = compose(
        " T\n1 ", [Paragraph(" a\nb "), Paragraph("\u00ad"), Paragraph("H  1", 2), Paragraph("c")]
    )
    assert (document.title, document.text, document.headings) == ("T 1", "a b\nH 1\nc", ((4, "H 1"),))


def test_a_document_has_text():
    with pytest.raises(NoText, match="no text in it"):
        compose("T", [Paragraph(" "), Paragraph("\x00")])
