import gzip
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.labelled import read_labelled_texts
from retriever.errors import InputError
from retriever.records import LabelledText

TWO = [LabelledText("1", 'a "gem" .'), LabelledText("0", "dull , dull")]


def written(folder, name, text):
    file = folder / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return file


def refusal(file):
    with pytest.raises(InputError) as error:
        list(read_labelled_texts(file))
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", 'label\ttext\n1\ta "gem" .\n0\tdull , dull\n'),
        ("a.tsv", 'text\tfine\tlabel\n a  "gem" .\tx\t1\ndull , dull\ty\t0 \n'),
        ("a.tsv.gz", 'sentence\tlabel\na "gem" .\t1\ndull , dull\t0\n'),
        ("a.tsv", '1\ta "gem" .\n0\tdull , dull\n'),
        ("a.csv", 'label,text\n1,"a ""gem"" ."\n0,"dull ,\ndull"\n'),
        ("a.csv", '1,"a ""gem"" ."\n0,"dull , dull"\n'),
        ("a.jsonl", '{"text": "a \\"gem\\" .", "label": 1}\n{"sentence": "dull , dull", "label": "0"}\n'),
        ("a.json", '[{"text": "a \\"gem\\" .", "label": 1}, {"text": "dull , dull", "label": 0}]'),
    ],
)
def test_tables_with_and_without_header_and_records(tmp_path, name, text):
    assert list(read_labelled_texts(written(tmp_path, name, text))) == TWO


def test_pairs_by_their_columns(tmp_path):
    file = written(tmp_path, "a.tsv", "label\tid\tsentence1\tsentence2\nyes\t7\tone\ttwo\n")
    assert list(read_labelled_texts(file)) == [LabelledText("yes", "one", "two")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("label\ttext\n1\ta\n", "columns by the header: label, text"),
        ("1\ta b\n", "no header (no cell of line 1 is 'label'): label, text"),
    ],
)
def test_which_columns_were_taken_is_said(tmp_path, caplog, text, told):
    file = written(tmp_path, "a.tsv", text)
    with caplog.at_level(logging.INFO):
        list(read_labelled_texts(file))
    assert caplog.messages == [f"{file}: {told}"]


COLUMNS = "'label' and 'text' (or 'sentence'), or 'label', 'sentence1' and 'sentence2'"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "1\ta", ": expected a .tsv, .csv, .jsonl, .json, .parquet or .arrow file"),
        ("a.tsv", "label\ttext\n", ": no labelled text in this file"),
        ("a.tsv", "\n\n", ": no labelled text in this file"),
        ("a.tsv", "label\ttext\n1\ta\n0\n", ":3: expected 2 columns, found 1"),
        ("a.tsv", "label\ttext\n1\ta\n0\t \n", ":3: 'text' is empty"),
        ("a.tsv", "label\ttext\n\ta\n", ":2: 'label' is empty"),
        ("a.tsv", "1\ta b\n0\t\n", ":2: 'text' is empty"),
        ("a.tsv", "label\tsentence1\tsentence2\n1\ta\t\n", ":2: 'sentence2' is empty"),
        ("a.tsv", "label\tlabel\ttext\n", ":1: two columns are named 'label'"),
        ("a.tsv", "label\treview\n1\ta\n", f":1: the columns must be {COLUMNS} (found: label, review)"),
        (
            "a.tsv",
            "label\ttext\tsentence1\tsentence2\n1\ta\tb\tc\n",
            f":1: the columns must be {COLUMNS} (found: label, text, sentence1, sentence2)",
        ),
        (
            "a.tsv",
            "1\ta\tb\n",
            f":1: expected two columns, label and text, found 3; more need a header that names {COLUMNS}",
        ),
        (
            "a.tsv",
            "class\treview\n1\ta\n0\tb\n",
            f":1: no other row has the label 'class': if this is a header, it must name {COLUMNS}",
        ),
        ("a.jsonl", '{"label": 1}\n', f":1: the fields must be {COLUMNS} (found: label)"),
        ("a.jsonl", '{"label": 0.5, "text": "a"}\n', ":1: 'label' must be a string or a whole number, found a number"),
        ("a.jsonl", '{"label": null, "text": "a"}\n', ":1: 'label' must be a string or a whole number, found null"),
        ("a.jsonl", '{"label": 1, "text": 3}\n', ":1: 'text' must be a string, found a number"),
        ("a.jsonl", '{"label": 1, "text": " "}\n', ":1: 'text' is empty"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_with_the_line(tmp_path, name, text, message):
    file = written(tmp_path, name, text)
    assert refusal(file) == f"{file}{message}"


def test_a_first_row_of_one_word_is_no_header_if_its_label_comes_again(tmp_path):
    file = written(tmp_path, "a.tsv", "pos\tGreat\nneg\tbad\npos\tgood one\n")
    assert [each.label for each in read_labelled_texts(file)] == ["pos", "neg", "pos"]


words = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)
texts = (
    st.lists(words, min_size=1, max_size=4).map(" ".join).filter(lambda text: text == " ".join(text.split()))
)


@given(st.lists(st.builds(LabelledText, texts, texts), min_size=1))
def test_what_is_written_is_read(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("labelled") / "a.tsv"
    lines = ["label\ttext", *(f"{row.label}\t{row.first}" for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert list(read_labelled_texts(file)) == rows
    records = file.with_suffix(".jsonl")
    records.write_text("".join(json.dumps({"label": row.label, "text": row.first}) + "\n" for row in rows))
    assert list(read_labelled_texts(records)) == rows
