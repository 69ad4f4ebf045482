from pathlib import Path

import pytest

from retriever.data.documents.document import NoText
from retriever.data.documents.text import read_text
from retriever.errors import InputError

PATH = Path("a.txt")


def test_paragraphs_are_parted_by_blank_lines_and_white_space_is_one_space():
    data = b"\xef\xbb\xbf  one\ttwo\r\nthree \r\n \t\r\n\r\nfour\x0c\xc2\xa0five\r"
    assert read_text(data, PATH).text == "one two three\nfour five"


def test_signs_that_nobody_sees_are_removed():
    assert read_text("in\u00advisi\ufeffble\x07".encode(), PATH).text == "invisible"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"one\ntwo\nthr\xe9e", "a.txt:3: not UTF-8"),
        ("text".encode("utf-16"), "a.txt: UTF-16, expected UTF-8"),
        (b"cut in the middle \xc3", "a.txt:1: not UTF-8"),
    ],
)
def test_another_encoding_is_an_error(data, message):
    with pytest.raises(InputError) as caught:
        read_text(data, PATH)
    assert str(caught.value) == message


@pytest.mark.parametrize(("data", "reason"), [(b"a\0b", "binary"), (b" \n\n ", "no text in it")])
def test_no_text(data, reason):
    with pytest.raises(NoText, match=reason):
        read_text(data, PATH)
