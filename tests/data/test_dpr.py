import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.dpr import (
    locate_dpr_examples,
    read_dpr_examples,
    read_named_positives,
    read_questions,
    write_dpr_examples,
)
from retriever.errors import InputError
from retriever.records import DprExample, Passage, Query, Question, content_id

CORPUS = {
    each.id: each for each in (Passage("17", "Paris is big.", "Paris"), Passage("18", "Rome too.", "Rome"))
}


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def message_of(path, read):
    with pytest.raises(InputError) as caught:
        list(read(path))
    return str(caught.value).removeprefix(str(path))


def test_our_questions_are_read(tmp_path):
    lines = [
        '{"id": "q1", "question": "Where?", "answers": ["Paris", "FR"], "positive_passage_id": "17"}',
        '{"question": "Who?", "positive_passage_id": [17, "18", 17]}',
        "",
        '{"id": 9, "question": "What?", "answers": null}',
    ]
    assert list(read_questions(write(tmp_path, "q.jsonl", "\n".join(lines)))) == [
        Question(Query("q1", "Where?"), ("Paris", "FR"), ("17",)),
        Question(Query("2", "Who?"), (), ("17", "18")),
        Question(Query("9", "What?")),
    ]


def test_beir_queries_are_read(tmp_path):
    path = write(tmp_path, "queries.jsonl", '{"_id": "0", "text": "a claim", "metadata": {"x": 1}}\n')
    assert list(read_questions(path)) == [Question(Query("0", "a claim"))]


def test_questions_of_dpr_training_data_name_their_positives_where_they_have_ids(tmp_path):
    positives = [
        {"passage_id": "5", "text": "a"},
        {"text": "b"},
        {"passage_id": "", "psg_id": 6, "text": "c"},
    ]
    record = {"question": "Who?", "answers": ["x"], "positive_ctxs": positives, "hard_negative_ctxs": []}
    path = write(tmp_path, "train.json", json.dumps([record], indent=4))
    assert list(read_questions(path)) == [Question(Query("1", "Who?"), ("x",), ("5", "6"))]


def test_answer_tables_hold_python_or_json_lists(tmp_path):
    lines = [
        "who won\t['A', \"O'Neil\"]",
        'who "sang" it\t"[""Wilhelm Conrad Röntgen""]"',
        'what\t["plain", "json"]',
        "when\t[]",
    ]
    for name in ("nq.qa.csv", "nq.tsv"):
        assert list(read_questions(write(tmp_path, name, "\r\n".join(lines)))) == [
            Question(Query("1", "who won"), ("A", "O'Neil")),
            Question(Query("2", 'who "sang" it'), ("Wilhelm Conrad Röntgen",)),
            Question(Query("3", "what"), ("plain", "json")),
            Question(Query("4", "when")),
        ]


def test_an_answer_list_is_never_run_as_code(tmp_path):
    marker = tmp_path / "ran"
    cell = f"[__import__('pathlib').Path({str(marker)!r}).touch()]"
    path = write(tmp_path, "q.tsv", f"who\t{cell}\n")
    assert message_of(path, read_questions).startswith(
        ":1: expected a list of answer strings, found [__import__"
    )
    assert not marker.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "q.jsonl",
            '{"id": 1, "question": "a"}\n{"id": "1", "question": "b"}',
            ":2: duplicate question id '1' (first in line 1)",
        ),
        (
            "q.json",
            '[{"id": 1, "question": "a"}, {"id": 1, "question": "b"}]',
            ":1: duplicate question id '1' (first in line 1)",
        ),
        (
            "q.jsonl",
            '{"question": "a"}\n{"id": "1", "question": "b"}',
            ":2: duplicate question id '1' (first in line 1)",
        ),
        ("q.jsonl", '{"id": 1, "answers": []}', ":1: no 'question'"),
        ("q.jsonl", '{"question": " "}', ":1: 'question' is empty"),
        ("q.jsonl", '{"_id": "1", "text": ""}', ":1: 'text' is empty"),
        ("q.jsonl", '{"question": 5}', ":1: 'question' must be a string, found a number"),
        (
            "q.jsonl",
            '{"question": "a", "answers": "b"}',
            ":1: 'answers' must be a list of strings, found a string",
        ),
        (
            "q.jsonl",
            '{"question": "a", "answers": ["b", 5]}',
            ":1: 'answers' must be a list of strings, found a number in it",
        ),
        (
            "q.jsonl",
            '{"question": "a", "positive_passage_id": [{}]}',
            ":1: 'positive_passage_id' must be a string or a whole number, found an object",
        ),
        ("q.tsv", "who\n", ":1: expected 2 columns, found 1"),
        ("q.tsv", "who\t['a']\n\t['b']\n", ":2: the question is empty"),
        ("q.tsv", "who\t'a'\n", ":1: expected a list of answer strings, found 'a'"),
        ("q.tsv", "who\t[1972]\n", ":1: expected a list of answer strings, found [1972]"),
        ("q.jsonl", "\n", ": no questions in this file"),
        ("q.txt", "who", ": expected a .jsonl, .json, .parquet, .arrow, .csv or .tsv file of questions"),
    ],
)
def test_broken_questions_are_errors(tmp_path, name, content, message):
    assert message_of(write(tmp_path, name, content), read_questions) == message


DPR_RECORD = {
    "question": "Who?",
    "answers": ["x"],
    "positive_ctxs": [{"title": "T", "text": "a", "score": 1000, "title_score": 1, "passage_id": "5"}],
    "negative_ctxs": [{"title": "R", "text": "random"}],
    "hard_negative_ctxs": [{"title": None, "text": "b", "psg_id": 6}, {"title": "U", "text": "c"}],
}


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_dpr_training_data_is_read(tmp_path, name):
    content = json.dumps([DPR_RECORD], indent=2) if name == "train.json" else json.dumps(DPR_RECORD)
    assert list(read_dpr_examples(write(tmp_path, name, content))) == [
        DprExample(
            Query("1", "Who?"),
            (Passage("5", "a", "T"),),
            (Passage("6", "b"), Passage(content_id("c", "U"), "c", "U")),
            ("x",),
            (Passage(content_id("random", "R"), "random", "R"),),
        )
    ]


def test_a_question_stays_as_it_is_written(tmp_path):
    path = write(tmp_path, "train.jsonl", json.dumps({**DPR_RECORD, "question": "Who’s  it ?"}))
    assert [each.query.text for each in read_dpr_examples(path)] == ["Who’s  it ?"]
    assert [each.query.text for each in read_questions(path)] == ["Who’s  it ?"]


def test_positives_are_looked_up_in_the_corpus(tmp_path):
    lines = [
        '{"id": "q", "question": "Where?", "answers": ["Paris"], "positive_passage_id": "17"}',
        '{"id": "r", "question": "Which?", "positive_passage_id": [18, 17]}',
    ]
    assert list(read_dpr_examples(write(tmp_path, "q.jsonl", "\n".join(lines)), CORPUS)) == [
        DprExample(Query("q", "Where?"), (CORPUS["17"],), (), ("Paris",)),
        DprExample(Query("r", "Which?"), (CORPUS["18"], CORPUS["17"])),
    ]


def test_a_positive_given_by_id_needs_the_corpus(tmp_path):
    path = write(tmp_path, "q.jsonl", '\n{"question": "Where?", "positive_passage_id": "17"}')
    expected = ":2: the positive passage is given by id only: pass the corpus with --passages"
    assert message_of(path, read_dpr_examples) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"question": "a", "positive_passage_id": "19"}',
            ":1: positive passage '19' is not in the passages",
        ),
        ('{"question": "a", "positive_ctxs": []}', ":1: no positive passage"),
        ('{"question": "a", "answers": ["b"]}', ":1: no positive passage"),
        (
            '{"question": "a", "positive_ctxs": {}}',
            ":1: 'positive_ctxs' must be a list of objects, found an object",
        ),
        (
            '{"question": "a", "positive_ctxs": ["b"]}',
            ":1: 'positive_ctxs' must be a list of objects, found a string in it",
        ),
        ('{"question": "a", "positive_ctxs": [{"title": "T"}]}', ":1: positive_ctxs[0]: no 'text'"),
        (
            '{"question": "a", "positive_ctxs": [{"text": "t"}], "hard_negative_ctxs": [{"text": "t"}, {"text": null}]}',
            ":1: hard_negative_ctxs[1]: 'text' must be a string, found null",
        ),
        (
            '{"question": "a", "positive_ctxs": [{"text": "t"}], "negative_ctxs": [{"text": "t", "title": 3}]}',
            ":1: negative_ctxs[0]: 'title' must be a string, found a number",
        ),
        ("{}\n", ":1: no 'question'"),
        ("\n", ": no questions in this file"),
    ],
)
def test_broken_training_data_is_an_error(tmp_path, content, message):
    path = write(tmp_path, "train.jsonl", content)
    assert message_of(path, lambda p: read_dpr_examples(p, CORPUS)) == message


def test_two_questions_with_one_id_are_an_error(tmp_path):
    record = json.dumps({**DPR_RECORD, "id": "same"})
    path = write(tmp_path, "train.jsonl", f"{record}\n{record}\n")
    assert message_of(path, read_dpr_examples) == ":2: duplicate question id 'same' (first in line 1)"


def test_only_json_is_training_data(tmp_path):
    expected = ": expected a .json, .jsonl, .parquet or .arrow file of questions with their passages"
    assert message_of(write(tmp_path, "train.tsv", "who\t['a']"), read_dpr_examples) == expected


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
contents = st.tuples(words, words)
known = st.builds(Passage, names, words, words)
unknown = contents.map(lambda each: Passage(content_id(*each), *each))
examples = st.builds(
    DprExample,
    st.builds(Query, names, words.filter(str.strip)),
    st.lists(known | unknown, min_size=1, max_size=3).map(tuple),
    st.lists(known | unknown, max_size=3).map(tuple),
    st.lists(words, max_size=2).map(tuple),
    st.lists(known | unknown, max_size=3).map(tuple),
)


@given(st.lists(examples, min_size=1, max_size=4, unique_by=lambda each: each.query.id))
def test_what_is_written_is_read_back(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("dpr") / "mined.jsonl"
    assert write_dpr_examples(path, iter(written)) == len(written)
    assert list(read_dpr_examples(path)) == written


def test_a_passage_that_no_corpus_knows_is_written_without_id(tmp_path):
    path = tmp_path / "mined.jsonl"
    passages = (Passage("17", "a", "T"), Passage(content_id("b"), "b"))
    write_dpr_examples(path, [DprExample(Query("q", "Who?"), passages)])
    assert json.loads(path.read_text()) == {
        "id": "q",
        "question": "Who?",
        "answers": [],
        "positive_ctxs": [{"title": "T", "text": "a", "passage_id": "17"}, {"title": "", "text": "b"}],
        "negative_ctxs": [],
        "hard_negative_ctxs": [],
    }
    assert [question.positive_ids for question in read_questions(path)] == [("17",)]


def test_a_source_that_fails_leaves_no_file(tmp_path):
    def failing():
        yield DprExample(Query("q", "Who?"), (Passage("1", "a"),))
        raise InputError("broken")

    with pytest.raises(InputError):
        write_dpr_examples(tmp_path / "mined.jsonl", failing())
    assert list(tmp_path.iterdir()) == []


def test_examples_that_are_wrong_are_handed_over_and_the_others_come_with_their_lines(tmp_path):
    good = '{"question": "a", "positive_ctxs": [{"text": "x"}]}'
    bad = [
        '{"question": "", "positive_ctxs": [{"text": "x"}]}',
        '{"question": "b"}',
        '{"id": "1", "question": "c", "positive_ctxs": [{"text": "x"}]}',
    ]
    path = write(tmp_path, "a.jsonl", "\n".join([good, *bad, good]))
    refused = []
    found = list(locate_dpr_examples(path, refuse=refused.append))
    assert [line for line, _ in found] == [1, 5]
    assert [str(each).removeprefix(str(path)) for each in refused] == [
        ":2: 'question' is empty",
        ":3: no positive passage",
        ":4: duplicate question id '1' (first in line 1)",
    ]


def test_positives_that_a_file_only_names(tmp_path):
    rows = [
        '{"positive_passage_id": ["1", 2]}',
        '{"positive_ctxs": [{"text": "x"}], "positive_passage_id": "3"}',
        '{"positive_passage_id": {}}',
    ]
    assert list(read_named_positives(write(tmp_path, "a.jsonl", "\n".join(rows)))) == ["1", "2"]


def test_a_key_that_is_nearly_one_of_ours_is_told(tmp_path, caplog):
    passage = '[{"text": "a"}]'
    row = f'{{"question": "q", "positive_ctxs": {passage}, "hard_negatives_ctxs": {passage}, "dataset": "nq"}}\n'
    path = write(tmp_path, "train.jsonl", row)
    list(read_dpr_examples(path))
    assert caplog.messages == [
        f"{path}: key 'hard_negatives_ctxs' is not used: is 'hard_negative_ctxs' meant?"
    ]
