import csv
import gzip
import json
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retriever.data.corpus import SeenIds, read_passage_table, read_passages
from retriever.errors import InputError
from retriever.records import Passage


def passages_of(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return list(read_passages(path))


def message_of(tmp_path, name, content):
    with pytest.raises(InputError) as caught:
        passages_of(tmp_path, name, content)
    return str(caught.value).removeprefix(str(tmp_path / name))


def test_dpr_tables_are_read_by_column_name_in_the_csv_dialect(tmp_path):
    content = 'id\ttext\ttitle\n1\t"He said ""hi"".\nTwice"\t"""Heroes"" (album)"\n2\tplain "word"\tB\n'
    assert passages_of(tmp_path, "p.tsv", content) == [
        Passage("1", 'He said "hi".\nTwice', '"Heroes" (album)'),
        Passage("2", 'plain "word"', "B"),
    ]


def test_columns_may_stand_in_any_order_and_the_title_may_be_missing(tmp_path):
    assert passages_of(tmp_path, "p.tsv", "title\turl\tid\ttext\nT\tu\t7\tbody\n") == [
        Passage("7", "body", "T")
    ]
    assert passages_of(tmp_path, "p.tsv", "text\tid\nbody\t7\n") == [Passage("7", "body")]
    assert passages_of(tmp_path, "p.csv", 'id,text\n7,"a, b"\n') == [Passage("7", "a, b")]


def test_beir_and_our_json_lines_are_read(tmp_path):
    content = (
        '{"_id": "a", "title": "T", "text": "x", "metadata": {}}\n{"id": 12, "text": "y", "title": null}\n'
    )
    assert passages_of(tmp_path, "corpus.jsonl", content) == [Passage("a", "x", "T"), Passage("12", "y")]


def test_an_array_of_passages_is_read(tmp_path):
    assert passages_of(tmp_path, "corpus.json", '[{"id": "a", "text": "x"}]') == [Passage("a", "x")]


def test_ms_marco_has_no_header_and_its_quotes_are_letters(tmp_path):
    content = '0\t"Quoted" is a word\n1\tan "open quote\n'
    assert passages_of(tmp_path, "collection.tsv", content) == [
        Passage("0", '"Quoted" is a word'),
        Passage("1", 'an "open quote'),
    ]


def test_a_document_without_any_text_is_a_document(tmp_path):
    assert passages_of(tmp_path, "c.jsonl", '{"_id": "471", "title": "", "text": ""}') == [Passage("471", "")]


def test_compressed_corpora_are_read(tmp_path):
    (tmp_path / "p.tsv.gz").write_bytes(gzip.compress(b"id\ttext\n1\tx\n"))
    assert list(read_passages(tmp_path / "p.tsv.gz")) == [Passage("1", "x")]


def test_the_table_is_by_id_in_file_order(tmp_path):
    (tmp_path / "p.tsv").write_text("2\tb b\n1\ta a\n")
    table = read_passage_table(tmp_path / "p.tsv")
    assert list(table.items()) == [("2", Passage("2", "b b")), ("1", Passage("1", "a a"))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.tsv", "id\ttext\ttitle\n1\tx\tT\n2\ty\n", ":3: expected 3 columns, found 2"),
        ("p.tsv", "0\tone text\n1\ttwo\ttexts\n", ":2: expected 2 columns, found 3"),
        ("p.tsv", "pid\tpassage\n1\tx\n", ":1: no column named 'id' (found: pid, passage)"),
        ("p.tsv", "1\tsome text\ttitle\n", ":1: no column named 'id' (found: 1, some text, title)"),
        ("p.tsv", "id\ttext\tid\n1\tx\t2\n", ":1: two columns are named 'id'"),
        ("p.tsv", "id\ttext\n\tx\n", ":2: 'id' is empty"),
        ("p.tsv", 'id\ttext\n1\tx\n2\t"y\n3\tz\n', ":3: wrong quotes or line ends: unexpected end of data"),
        ("p.tsv", "id\ttext\n", ": no passages in this file"),
        ("p.tsv", "\n\n", ": no passages in this file"),
        ("p.tsv", 'id\ttext\n1\t"x\ny"\n2\tz\n1\tw\n', ":5: duplicate passage id '1' (first in line 2)"),
        (
            "p.jsonl",
            '{"id": "a", "text": "x"}\n\n{"_id": "a", "text": "y"}',
            ":3: duplicate passage id 'a' (first in line 1)",
        ),
        ("p.jsonl", '{"text": "x"}', ":1: no 'id' or '_id'"),
        ("p.jsonl", '{"id": "a"}', ":1: no 'text'"),
        ("p.jsonl", '{"id": "a", "text": ["x"]}', ":1: 'text' must be a string, found a list"),
        (
            "p.jsonl",
            '{"id": 1.5, "text": "x"}',
            ":1: 'id' must be a string or a whole number, found a number",
        ),
        (
            "p.jsonl",
            '{"id": true, "text": "x"}',
            ":1: 'id' must be a string or a whole number, found true or false",
        ),
        ("p.jsonl", '{"id": "", "text": "x"}', ":1: 'id' is empty"),
        ("p.jsonl", "[]", ":1: expected a JSON object, found []"),
        ("p.json", "[]", ": no passages in this file"),
        ("p.txt", "x", ": expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file of passages"),
    ],
)
def test_broken_corpora_are_errors(tmp_path, name, content, message):
    assert message_of(tmp_path, name, content) == message


def test_passages_are_streamed(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": 1, "text": "x"}\nbroken\n')
    assert list(islice(read_passages(path), 1)) == [Passage("1", "x")]


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_both_formats_give_what_was_written(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("corpus")
    expected = [Passage(str(at), text, title) for at, (text, title) in enumerate(contents)]
    with (folder / "p.tsv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(["id", "text", "title"])
        rows.writerows((each.id, each.text, each.title) for each in expected)
    lines = [json.dumps({"_id": each.id, "text": each.text, "title": each.title}) for each in expected]
    (folder / "p.jsonl").write_text("\n".join(lines))
    assert list(read_passages(folder / "p.tsv")) == expected
    assert list(read_passages(folder / "p.jsonl")) == expected


@given(st.lists(st.integers(0, 12).map(str) | st.sampled_from(["00", "07", "-1", "٣", "²", "a", "9" * 30])))
@example(["1", "3", "2", "3", "4", "3"])
def test_seen_ids_behave_as_a_set(ids):
    seen, reference = SeenIds(), set()
    for each in ids:
        assert seen.add(each) == (each not in reference)
        reference.add(each)


def test_ids_that_count_up_take_no_memory():
    seen = SeenIds()
    assert all(seen.add(str(number)) for number in range(1, 10_000))
    assert not seen._others
