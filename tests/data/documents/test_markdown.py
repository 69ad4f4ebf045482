import sys
from pathlib import Path

import pytest

from retriever.data.documents.document import NoText
from retriever.data.documents.markdown import read_markdown
from retriever.errors import InputError


def document(text):
    return read_markdown(text.encode(), Path("a.md"))


def test_marks_go_and_paragraphs_lists_tables_and_code_stay():
    text = "Some *text* with `x < y`\nand [a link](http://x).\n\n- one\n- two\n\n|a|b|\n|-|-|\n|1|2|\n\n```py\nf(x)\n```\n"
    assert document(text).text.split("\n") == [
        "Some text with x < y and a link.",
        "one",
        "two",
        "a b",
        "1 2",
        "f(x)",
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('---\ntitle: "My: page"\ndate: 1\n---\n# Head\ntext', "My: page"),
        ("---\nlayout: x\nTitle: Plain \n---\ntext", "Plain"),
        ("+++\ntitle = 'Toml'\n+++\ntext", "Toml"),
        ("---\ntitle: >\n  folded\n---\n# Head\ntext", "Head"),
        ("text first\n\nHead *line*\n===\n\n# Other", "Head line"),
        ("## Second level\ntext", "Second level"),
        ("text", ""),
    ],
)
def test_the_title_is_the_front_matters_else_the_first_heading(text, title):
    assert document(text).title == title


def test_front_matter_is_no_text_and_a_ruler_is_no_front_matter():
    assert document("---\ntitle: T\ntags: [a]\n---\nbody").text == "body"
    assert document("---\n\nbetween rulers\n\n---\n\nbody").text == "between rulers\nbody"
    assert document("---\ntitle: never closed\n\nbody").text == "title: never closed\nbody"


def test_html_in_markdown_is_read_as_html_is():
    assert document("a <b>bo</b>ld\n\n<!-- gone -->\n<div>\n\n**in**\n\n</div>").text == "a bold\nin"


def test_pictures_are_no_text_whatever_their_address():
    assert document("before ![alt](data:text/plain;base64,AAAA) after").text == "before after"


def test_deep_quotes_keep_their_text():
    assert document("> " * 150 + "deep").text == "deep"


def test_headings_are_kept():
    assert [heading for _, heading in document("# A\nx\n## B `c`\ny").headings] == ["A", "B c"]


def test_errors():
    with pytest.raises(InputError, match=r"^a\.md:2: not UTF-8$"):
        read_markdown(b"a\n\xe9", Path("a.md"))
    with pytest.raises(NoText, match="no text in it"):
        document("---\ntitle: T\n---\n")


def test_without_markdown_it_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    with pytest.raises(InputError) as caught:
        document("x")
    assert str(caught.value) == (
        "Markdown needs markdown-it-py: pip install 'contrastive-text-learning[documents]'"
    )
