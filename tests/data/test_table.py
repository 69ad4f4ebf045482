from pathlib import Path

import pytest

from retriever.data.table import Header, are_names, check_width
from retriever.errors import InputError

PATH = Path("a.tsv")


@pytest.mark.parametrize("cells", [["a"], ["sent0", " _hidden "], ["A" * 32]])
def test_identifiers_are_names(cells):
    assert are_names(cells)


@pytest.mark.parametrize("cells", [["two words"], ["a", "0b"], ["query-id"], [""], ["A" * 33], ["naïve"]])
def test_anything_else_is_no_name(cells):
    assert not are_names(cells)


def test_cells_come_by_name():
    header = Header.parse(["id", " text ", "x"], PATH, 1, required=("text",))
    rows = [(2, ["1", "words", "2"]), (5, ["", "more", ""])]
    assert list(header.rows(rows, ("text", "title", "id"))) == [
        (2, ["words", "", "1"]),
        (5, ["more", "", ""]),
    ]


def test_rows_are_as_wide_as_the_header():
    header = Header.parse(["id"], PATH, 1, required=())
    rows = header.rows([(2, ["1"]), (3, ["1", "2"])], ("id",))
    assert next(rows) == (2, ["1"])
    with pytest.raises(InputError) as caught:
        next(rows)
    assert str(caught.value) == "a.tsv:3: expected 1 column, found 2"


def test_a_narrow_row_is_an_error_with_both_widths():
    with pytest.raises(InputError) as caught:
        check_width(["1"], 2, PATH, 3)
    assert str(caught.value) == "a.tsv:3: expected 2 columns, found 1"
