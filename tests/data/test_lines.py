import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.lines import format_of, read_json_objects, read_lines, read_table
from retriever.errors import InputError


def message_of(path, read):
    with pytest.raises(InputError) as caught:
        list(read(path))
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


def test_lines_come_numbered_without_bom_and_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\n\r\ntwo\u2028still two\x0c\nthree".encode())
    assert list(read_lines(path)) == [(1, "one"), (2, ""), (3, "two\u2028still two\x0c"), (4, "three")]


def test_gzip_reads_as_the_plain_file(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert list(read_lines(path)) == [(1, "one"), (2, "two")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", ": file is empty"),
        ("a.txt.gz", gzip.compress(b"", mtime=0), ": file is empty"),
        ("a.txt", b"fine\n\xe4\n", ":2: not UTF-8"),
        ("a.txt", "x".encode("utf-16"), ":1: not UTF-8"),
        ("a.txt.gz", b"plain text", ": not a complete gzip file"),
        ("a.txt.gz", gzip.compress(b"some line\n" * 999, mtime=0)[:-9], ": not a complete gzip file"),
    ],
    ids=["empty", "empty gzip", "not UTF-8", "UTF-16", "not gzip", "cut gzip"],
)
def test_broken_text_is_an_error(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert message_of(path, read_lines) == message


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    assert message_of(tmp_path / "no.txt", read_lines) == ": no such file"
    assert message_of(tmp_path, read_lines) == ": is a folder, expected a file"
    (tmp_path / "file").write_text("x")
    assert message_of(tmp_path / "file" / "below", read_lines) == ": no such file"


def test_the_format_is_the_suffix_without_compression(tmp_path):
    assert format_of(tmp_path / "x.y.TSV.gz") == ".tsv"
    assert format_of(tmp_path / "nq.qa.csv") == ".csv"
    assert format_of(tmp_path / "noname") == ""


def test_json_lines_skip_blank_lines_and_count_them(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n  \n{"a": 2}')
    assert list(read_json_objects(path)) == [(1, {"a": 1}), (4, {"a": 2})]


def test_a_json_file_may_hold_an_object_a_line(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\ufeff\n {"a": 1}\n{"a": 2}\n')
    assert list(read_json_objects(path)) == [(2, {"a": 1}), (3, {"a": 2})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": 1,}\n', ":2: invalid JSON: "),
        ('{"a": 1}\n[1, 2]\n', ":2: expected a JSON object, found [1, 2]"),
        ('"' + "x" * 50 + '"', ':1: expected a JSON object, found "' + "x" * 36 + "..."),
        ('{"a": "\\ud83d"}', ":1: a string holds half a surrogate pair"),
        ('{"a": ' + "[" * 100_000, ":1: invalid JSON: number too long or nesting too deep"),
    ],
)
def test_broken_json_lines_are_errors(tmp_path, content, message):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    found = message_of(path, read_json_objects)
    assert found == message or (message.endswith("JSON: ") and found.startswith(message))


def test_a_whole_surrogate_pair_is_a_letter(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "\\ud83d\\ude00", "b": "\\\\ud83d"}')
    assert list(read_json_objects(path)) == [(1, {"a": "😀", "b": "\\ud83d"})]


def test_unquoted_rows_split_at_tabs_only(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('"a\tb" c\r\n\n\t"\n')
    assert list(read_table(path, delimiter="\t", quoted=False)) == [(1, ['"a', 'b" c']), (3, ["", '"'])]


def test_a_quoted_row_reports_its_first_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b\n\n"x\ny\n",2\nlast,3\n')
    assert list(read_table(path, delimiter=",", quoted=True)) == [
        (1, ["a", "b"]),
        (3, ["x\ny\n", "2"]),
        (6, ["last", "3"]),
    ]


def test_an_unclosed_quote_is_an_error_and_swallows_nothing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b\nc,"d\ne,f\n')
    found = message_of(path, lambda p: read_table(p, delimiter=",", quoted=True))
    assert found == ":2: wrong quotes or line ends: unexpected end of data"


def test_long_cells_are_read_and_the_process_wide_limit_is_left_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x" * 500_000 + ",1\n2,3\n")
    before = csv.field_size_limit()
    rows = read_table(path, delimiter=",", quoted=True)
    assert len(next(rows)[1][0]) == 500_000
    assert csv.field_size_limit() == before


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=3), min_size=1, max_size=5))
def test_quoted_tables_are_read_as_csv_writer_writes_them(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.tsv"
    text = io.StringIO()
    csv.writer(text, delimiter="\t").writerows(rows)
    # A lone byte order mark at the very start is a mark and no letter.
    path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())
    assert [cells for _, cells in read_table(path, delimiter="\t", quoted=True)] == rows


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=5), st.booleans())
def test_json_objects_come_back_in_order(tmp_path_factory, objects, ensure_ascii):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    lines = [json.dumps(each, ensure_ascii=ensure_ascii) for each in objects]
    path.write_bytes(("\n".join(lines) + "\n").encode())
    assert list(read_json_objects(path)) == list(enumerate(objects, start=1))
