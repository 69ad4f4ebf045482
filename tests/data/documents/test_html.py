import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.documents.document import NoText
from retriever.data.documents.html import declared_encoding, document_of, read_html
from retriever.errors import InputError

PATH = Path("page.html")


def lines(page):
    return document_of(page).text.split("\n")


def test_paragraphs_are_lines_and_inline_elements_do_not_part_words():
    page = "<p>Para <b>bo</b>ld<br>x &amp; y<p>two<div>three<div>four</div>five</div>six<hr>seven"
    assert lines(page) == ["Para bold x & y", "two", "three", "four", "five", "six", "seven"]


def test_rows_of_a_table_are_lines_and_its_cells_are_parted_by_spaces():
    assert lines("<table><caption>C</caption><tr><th>a<th>b<tr><td>1<td>2</table>") == ["C", "a b", "1 2"]


@pytest.mark.parametrize(
    "furniture",
    [
        "<script>x</script>",
        "<style>x</style>",
        "<!-- x -->",
        "<nav>x<p>x</nav>",
        "<footer>x</footer>",
        "<noscript>x</noscript>",
        "<template>x</template>",
        "<svg><title>x</title></svg>",
        "<select><option>x</select>",
        "<button>x</button>",
        "<div role=navigation>x</div>",
        "<p hidden>x</p>",
        "<p aria-hidden=true>x</p>",
        "<p style='color: red; DISPLAY : none'>x</p>",
        "<a href='#here'>¶</a>",
        "<a href='#here'><b>#</b></a>",
        "<math><semantics><annotation>x</annotation></semantics></math>",
    ],
)
def test_furniture_is_left_out_and_what_follows_it_is_not(furniture):
    assert document_of(f"<body>before {furniture} after").text.replace("\n", " ") == "before after"


def test_a_link_into_the_page_that_says_something_stays():
    assert lines("see <a href='#n1'>[1]</a> and <a href='/x'>→</a>") == ["see [1] and →"]


def test_one_main_element_is_the_text_and_an_empty_one_or_several_are_not():
    assert lines("<div>menu</div><main><p>text</main>") == ["text"]
    assert lines("<div>menu</div><div role=main>text</div>") == ["text"]
    assert lines("<div>menu</div><main><script>x</script></main>") == ["menu"]
    assert lines("<main>a</main><main>b</main>") == ["a", "b"]


def test_the_title_is_that_of_the_head_else_the_first_h1():
    page = (
        "<head><title>\n T &lt;1&gt; </title></head><svg><title>no</title></svg><h1>H<a href='#h'>¶</a></h1>"
    )
    assert document_of(page).title == "T <1>"
    assert document_of("<title> </title><h2>two</h2><h1>H <i>1</i></h1><h1>other</h1>").title == "H 1"
    assert document_of("<h2>two</h2>").title == ""


def test_headings_know_where_they_begin():
    document = document_of("<p>a  b</p><h2>One</h2>c<h3><div>Two</div></h3>")
    assert document.text == "a b\nOne\nc\nTwo"
    assert [(document.text[place:].split("\n")[0], heading) for place, heading in document.headings] == [
        ("One", "One"),
        ("Two", "Two"),
    ]


def test_self_closed_elements_of_xhtml_swallow_nothing():
    page = '<?xml version="1.0"?>\n<html><head><title/><script src="a"/></head><body><a id="x"/>text<br/>more</body></html>'
    assert document_of(page).text == "text more"


def test_a_page_is_read_in_the_encoding_that_it_declares():
    page = "<meta http-equiv=Content-Type content='text/html; charset=ISO-8859-1'><p>café “x”"
    assert read_html(page.encode("cp1252"), PATH).text == "café “x”"
    assert read_html("<meta charset=shift_jis><p>東京①".encode("cp932"), PATH).text == "東京①"
    assert read_html("\ufeff<meta charset=latin-1><p>é".encode(), PATH).text == "é"


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("UTF-8", "utf-8"),
        ("utf-16", "utf-8"),
        ("utf-16le", "utf-8"),
        ("utf-32be", "utf-8"),
        ("hex", "utf-8"),
        ("undefined", "utf-8"),
        ("none-such", "utf-8"),
        ("gb2312", "gb18030"),
    ],
)
def test_labels_of_encodings_mean_what_they_mean_to_browsers(label, encoding):
    assert declared_encoding(f'<meta charset="{label}">'.encode()) == encoding


def test_bytes_of_another_encoding_are_an_error_with_the_line():
    with pytest.raises(InputError) as caught:
        read_html(b"<p>\ncaf\xe9", PATH)
    assert str(caught.value) == "page.html:2: not UTF-8"
    with pytest.raises(InputError) as caught:
        read_html(b"<meta charset=euc-jp><p>\xff", PATH)
    assert str(caught.value) == "page.html:1: not euc_jp, which it says it is"


@pytest.mark.parametrize("page", ["<p> &nbsp; </p>", "<script>x</script>", "<nav>only a menu</nav>"])
def test_a_page_without_text_is_said_to_have_none(page):
    with pytest.raises(NoText, match="no text in it"):
        document_of(page)


def test_without_selectolax_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "selectolax.lexbor", None)
    with pytest.raises(InputError) as caught:
        document_of("x")
    assert str(caught.value) == (
        "HTML and Markdown need selectolax: pip install 'contrastive-text-learning[documents]'"
    )


def test_deep_nesting_is_no_matter():
    assert lines("<div>" * 3000 + "deep") == ["deep"]


@given(st.text(st.sampled_from("<>/=\"'! abp&#;é\n-"), max_size=80))
def test_broken_markup_gives_a_document_or_no_text(page):
    try:
        document = document_of(page)
    except NoText:
        return
    assert document.text and not re.search(r"\n\n| \n|\n |  |\A\s|\s\Z", document.text)
