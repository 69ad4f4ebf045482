import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.simcse import locate_simcse_examples, read_simcse_examples
from retriever.errors import InputError
from retriever.records import SimcseExample


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return list(read_simcse_examples(path))


def test_text_is_a_sentence_a_line(tmp_path):
    assert read(tmp_path, "a.txt", "One.\n\n  \nTwo, three\r\n") == [
        SimcseExample("One."),
        SimcseExample("Two, three"),
    ]


TRIPLET = [SimcseExample("a b", "c d", ("e f",))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nli.csv", "sent0,sent1,hard_neg\na b,c d,e f\n"),
        ("nli.csv", "hard_neg,source,sent1,sent0\ne f,snli,c d,a b\n"),
        ("nli.csv", "anchor,positive,negative\na b,c d,e f\n"),
        ("nli.csv", '"sent0","sent1","hard_neg"\n"a b","c d","e f"\n'),
        ("nli.tsv", "sent0\tsent1\thard_neg\tsource\na b\tc d\te f\tx\n"),
        ("nli.tsv", "a b\tc d\te f\n"),
        ("nli.jsonl", '{"anchor": "a b", "negative": "e f", "positive": "c d", "score": 0.5}'),
        ("nli.json", '[{"sent0": "a b", "hard_neg": "e f", "sent1": "c d"}]'),
    ],
)
def test_triplets_are_read_by_name_or_by_position(tmp_path, name, content):
    assert read(tmp_path, name, content) == TRIPLET


@pytest.mark.parametrize(
    "names", ["hard_neg,hard_neg1", "hard_neg_0,hard_neg_1", "negative_1,negative_2", "negative1,negative2"]
)
def test_hard_negatives_may_be_many(tmp_path, names):
    found = read(tmp_path, "nli.csv", f"sent0,{names},sent1\na,n,m,b\na,,m,b\n")
    assert found == [SimcseExample("a", "b", ("n", "m")), SimcseExample("a", "b", ("m",))]


def test_columns_without_header_are_sentences_pairs_and_triplets(tmp_path):
    assert read(tmp_path, "a.tsv", "One day\nTwo days\n") == [
        SimcseExample("One day"),
        SimcseExample("Two days"),
    ]
    assert read(tmp_path, "a.csv", "One day,Two days\n") == [SimcseExample("One day", "Two days")]
    assert read(tmp_path, "a.csv", "a b,c d,e f,g h\n") == [SimcseExample("a b", "c d", ("e f", "g h"))]


def test_a_lone_anchor_column_holds_sentences(tmp_path):
    assert read(tmp_path, "a.csv", 'sent0\n"One, day"\n') == [SimcseExample("One, day")]
    assert read(tmp_path, "a.jsonl", '{"anchor": "One"}') == [SimcseExample("One")]


def test_one_row_of_plain_words_is_data(tmp_path):
    assert read(tmp_path, "a.csv", "cat,dog\n") == [SimcseExample("cat", "dog")]


def test_quotes_are_letters_in_tsv_and_quotes_in_csv(tmp_path):
    assert read(tmp_path, "a.tsv", '"a\tb" c\n') == [SimcseExample('"a', 'b" c')]
    assert read(tmp_path, "a.csv", '"a, ""b""\nc",d\n') == [SimcseExample('a, "b"\nc', "d")]


def test_json_records_may_differ_in_their_negatives(tmp_path):
    content = '{"sent0": "a", "sent1": "b", "hard_neg": null}\n{"sent0": "c", "sent1": "d", "hard_neg": "e", "n": 1}'
    assert read(tmp_path, "a.jsonl", content) == [SimcseExample("a", "b"), SimcseExample("c", "d", ("e",))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nli.csv", "a,b\nx y,z\n", ":1: no column named 'sent1' (found: a, b)"),
        ("nli.csv", "sent0,b\nx,y\n", ":1: no column named 'sent1' (found: sent0, b)"),
        ("nli.csv", "a,sent1\nx,y\n", ":1: no column named 'sent0' (found: a, sent1)"),
        ("nli.csv", "anchor,b\nx,y\n", ":1: no column named 'positive' (found: anchor, b)"),
        ("nli.csv", "positive,b\nx,y\n", ":1: no column named 'anchor' (found: positive, b)"),
        ("nli.tsv", "sent0\tsent1\nx\ty\nx\n", ":3: expected 2 columns, found 1"),
        ("nli.tsv", "a b\tc\td\ne f\tg\n", ":2: expected 3 columns, found 2"),
        ("nli.tsv", "one sentence\nanother\tone\n", ":2: expected 1 column, found 2"),
        ("nli.csv", "sent0,sent1\nx,y\n ,z\n", ":3: 'sent0' is empty"),
        ("nli.csv", 'sent0,sent1\n"x\nx",y\nz,\n', ":4: 'sent1' is empty"),
        ("nli.csv", "a b,\n", ":1: column 2 is empty"),
        ("nli.csv", "sent0,sent1\n", ": no examples in this file"),
        ("nli.txt", "\n\n", ": no examples in this file"),
        (
            "nli.jsonl",
            '{"sent0": "a", "sent1": "b"}\n{"sent0": "a"}\n{"sent0": "a", "b": 1}',
            ":3: no column named 'sent1' (found: sent0, b)",
        ),
        ("nli.jsonl", '{"sent0": "a", "sent1": 5}', ":1: 'sent1' must be a string, found a number"),
        (
            "nli.jsonl",
            '{"sent0": "a", "sent1": "b", "hard_neg": ["c"]}',
            ":1: 'hard_neg' must be a string, found a list",
        ),
        ("nli.jsonl", '{"sent0": null, "sent1": "b"}', ":1: 'sent0' must be a string, found null"),
        (
            "nli.xlsx",
            "x",
            ": expected a .txt, .csv, .tsv, .jsonl, .json, .parquet or .arrow file of training data",
        ),
    ],
)
def test_broken_training_data_is_an_error(tmp_path, name, content, message):
    with pytest.raises(InputError) as caught:
        read(tmp_path, name, content)
    assert str(caught.value) == f"{tmp_path / name}{message}"


sentences = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20).filter(
    str.strip
)


@given(st.lists(st.tuples(sentences, sentences, sentences), min_size=1, max_size=5))
def test_csv_triplets_are_read_as_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("simcse") / "nli.csv"
    text = io.StringIO()
    csv.writer(text).writerows([("sent0", "sent1", "hard_neg"), *rows])
    path.write_bytes(text.getvalue().encode())
    expected = [SimcseExample(anchor, positive, (negative,)) for anchor, positive, negative in rows]
    assert list(read_simcse_examples(path)) == expected


@pytest.mark.parametrize(
    ("name", "content", "lines", "errors"),
    [
        ("a.txt", "a\n\nb\n", [1, 3], []),
        (
            "a.tsv",
            "sent0\tsent1\na\tb\nc\t\nd\ne\tf\n",
            [2, 5],
            [":3: 'sent1' is empty", ":4: expected 2 columns, found 1"],
        ),
        (
            "a.jsonl",
            '{"sent0": "a"}\n{"sent0": ""}\n{"sent0": 1}\n',
            [1],
            [":2: 'sent0' is empty", ":3: 'sent0' must be a string, found a number"],
        ),
    ],
)
def test_examples_that_are_wrong_are_handed_over_and_the_others_come_with_their_lines(
    tmp_path, name, content, lines, errors
):
    path = tmp_path / name
    path.write_text(content)
    refused = []
    assert [line for line, _ in locate_simcse_examples(path, refuse=refused.append)] == lines
    assert [str(each).removeprefix(str(path)) for each in refused] == errors


def test_columns_that_are_not_used_are_told_wherever_they_begin(tmp_path, caplog):
    first, second = (
        '{"anchor": "a", "positive": "b", "note": 1}',
        '{"positive": "b", "anchor": "a", "more": 2}',
    )
    read(tmp_path, "a.json", f"[\n{first},\n{second},\n{first}]")
    path = tmp_path / "a.json"
    assert caplog.messages == [
        f"{path}:2: columns that are not used: note",
        f"{path}:3: columns that are not used: more",
    ]
