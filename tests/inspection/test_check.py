import json
import logging

import pytest

from retriever.config.data import DataCheckConfig
from retriever.errors import InputError
from retriever.inspection import doctors
from retriever.inspection.check import check_data, kind_of_data

CORPUS = "id\ttext\ttitle\n1\tthe cat sat\tcat\n2\tthe dog ran\tdog\n3\tthe cat sat\tcopy\n4\t\tempty\n2\tagain\tx\n"


def lines(path, rows):
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def found(train, **options):
    report = check_data(DataCheckConfig(train=(train,), **options))
    return {each.name: each for each in report.findings}


def context(text, **more):
    return {"title": "", "text": text, **more}


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "passages.tsv"
    path.write_text(CORPUS)
    return path


def test_positives_are_looked_up_in_the_corpus_by_id(tmp_path, corpus):
    train = lines(
        tmp_path / "train.jsonl",
        [
            {"question": "who sat?", "positive_passage_id": "1"},
            {"question": "who flew?", "positive_passage_id": "9"},
            {"question": " ", "positive_passage_id": "1"},
        ],
    )
    findings = found(train, passages=corpus)
    assert findings["positive_not_in_corpus"].count == 1
    assert findings["positive_not_in_corpus"].examples[0].place == f"{train}:2"
    assert (
        findings["positive_not_in_corpus"].examples[0].text == "positive passage '9' is not in the passages"
    )
    assert findings["refused"].total == 3
    assert [(each.place, each.text) for each in findings["refused"].examples] == [
        (f"{train}:3", "'question' is empty")
    ]


def test_positives_that_the_file_holds_are_compared_with_the_corpus(tmp_path, corpus):
    contexts = [
        context("the cat sat", passage_id="1"),
        context("The  DOG ran"),
        context("another text", passage_id="1"),
        context("nowhere", passage_id="77"),
    ]
    rows = [{"question": f"q{n}", "positive_ctxs": [each]} for n, each in enumerate(contexts)]
    train = lines(tmp_path / "train.jsonl", rows)
    findings = found(train, passages=corpus)
    assert [(each.place, each.text) for each in findings["positive_not_in_corpus"].examples] == [
        (f"{train}:4", "q3")
    ]
    assert [each.place for each in findings["passage_differs_from_corpus"].examples] == [f"{train}:3"]
    assert [each.place for each in findings["id_with_other_text"].examples] == [f"{train}:3"]
    assert findings["positive_not_in_corpus"].total == 4


def test_a_renumbered_corpus_is_seen_though_all_its_ids_and_texts_are_there(tmp_path):
    corpus = tmp_path / "passages.tsv"
    corpus.write_text("id\ttext\ttitle\n1\tone cat\t\n2\ttwo dogs\t\n3\tthree birds\t\n3\tthree\t\n")
    rows = [
        {"question": "q1", "positive_ctxs": [context("two dogs", passage_id="1")]},
        {"question": "q2", "positive_ctxs": [context("three birds", passage_id="3")]},
        {"question": "q3", "positive_ctxs": [context("one cat", passage_id="2")]},
    ]
    train = lines(tmp_path / "train.jsonl", rows)
    finding = found(train, passages=corpus)["passage_differs_from_corpus"]
    assert [each.place for each in finding.examples] == [f"{train}:1", f"{train}:3"]


def test_other_negatives_are_looked_at_where_they_are_trained_on_as_hard_ones(tmp_path):
    rows = [
        {"question": "q1", "positive_ctxs": [context("a")], "negative_ctxs": [context("a")]},
        {"question": "q2", "positive_ctxs": [context("b")], "negative_ctxs": [context("clichÃ©", id="7")]},
        {"question": "q3", "positive_ctxs": [context("c")], "negative_ctxs": [context("other", id="7")]},
        {
            "question": "q4",
            "positive_ctxs": [context("d")],
            "hard_negative_ctxs": [context("e")],
            "negative_ctxs": [context("d")],
        },
    ]
    train = lines(tmp_path / "train.jsonl", rows)
    findings = found(train)
    assert {name: [each.place for each in finding.examples] for name, finding in findings.items()} == {
        "others_for_hard": [f"{train}:{line}" for line in (1, 2, 3)],
        "positive_is_hard_negative": [f"{train}:1"],
        "positive_is_other_negative": [f"{train}:4"],
        "mojibake": [f"{train}:2"],
        "id_with_other_text": [f"{train}:3"],
    }


def test_texts_in_the_wrong_place_are_found(tmp_path):
    long = "a paragraph that stands where the title should and is far longer than any title of an article, which is short"
    rows = [
        {"question": "17", "positive_ctxs": [context("an answer")]},
        {"question": "who?", "positive_ctxs": [context("3")]},
        {"question": "what?", "positive_ctxs": [{"title": long, "text": "Article"}]},
        {"question": "where in 1999?", "positive_ctxs": [{"title": "Article", "text": long}]},
    ]
    dpr = lines(tmp_path / "train.jsonl", rows)
    assert {name: [each.place for each in finding.examples] for name, finding in found(dpr).items()} == {
        "no_words": [f"{dpr}:1", f"{dpr}:2"],
        "title_longer_than_text": [f"{dpr}:3"],
    }
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(
        'sent0\tsent1\nhe said so\t"he said ""so"""\n"quoted"\tas a whole\na label\t1\n', encoding="utf-8"
    )
    findings = found(pairs)
    assert [each.place for each in findings["quotes_of_csv"].examples] == [f"{pairs}:2"]
    assert [each.place for each in findings["no_words"].examples] == [f"{pairs}:4"]


def test_the_corpus_itself_is_looked_at(tmp_path, corpus):
    train = lines(tmp_path / "train.jsonl", [{"question": "q", "positive_passage_id": "1"}])
    findings = found(train, passages=corpus)
    assert (findings["corpus_id_repeated"].count, findings["corpus_id_repeated"].total) == (1, 5)
    assert findings["corpus_id_repeated"].examples[0].text == f"first in {corpus}:3"
    assert [each.place for each in findings["corpus_text_repeated"].examples] == [f"{corpus}:4"]
    assert [each.place for each in findings["corpus_text_empty"].examples] == [f"{corpus}:5"]


def test_positives_by_id_need_the_corpus(tmp_path):
    train = lines(tmp_path / "train.jsonl", [{"question": "q", "positive_passage_id": "1"}])
    with pytest.raises(InputError, match="given by id only: pass the corpus with --passages"):
        found(train)


def test_held_out_questions_in_the_training_data_are_found_file_by_file(tmp_path):
    rows = [{"question": f"who wrote the {n} book of all ?", "positive_ctxs": [context(n)]} for n in "abc"]
    train = lines(tmp_path / "train.jsonl", rows)
    dev = lines(tmp_path / "dev.jsonl", [{"question": "Who wrote the A book of all?"}, {"question": "else"}])
    test = lines(tmp_path / "test.jsonl", [{"question": "so who wrote the b book of all"}])
    findings = check_data(DataCheckConfig(train=(train,), dev=dev, test=(test,))).findings
    leaks = [each for each in findings if "test" in each.name]
    assert [(each.name, each.severity, each.count, each.total, each.of) for each in leaks] == [
        ("test_question_in_train", "error", 1, 2, f"questions of {dev}"),
        ("near_test_question_in_train", "warning", 1, 1, f"questions of {test}"),
    ]
    assert leaks[0].examples[0].place == f"{dev}:1"
    assert leaks[0].examples[0].text.endswith(f"= {train}:1: who wrote the a book of all ?")
    assert "~ (0.83)" in leaks[1].examples[0].text


def test_sentences_are_compared_with_sts_files(tmp_path):
    train = tmp_path / "train.txt"
    train.write_text("A dog runs.\nsomething else\n")
    sts = tmp_path / "sts.tsv"
    sts.write_text("score\tsentence1\tsentence2\n1\tA cat\tA dog runs\n")
    finding = found(train, test=(sts,))["test_sentence_in_train"]
    assert (finding.count, finding.total, finding.examples[0].place) == (1, 2, f"{sts}:2")


def test_the_same_words_with_other_signs_are_not_word_for_word(tmp_path):
    rows = [{"question": q, "positive_ctxs": [context(q)]} for q in ("what is 5 + 3?", "Who Wrote  it")]
    train = lines(tmp_path / "train.jsonl", rows)
    dev = lines(tmp_path / "dev.jsonl", [{"question": "what is 5 - 3?"}, {"question": "who wrote it?"}])
    findings = found(train, dev=dev)
    assert findings["test_question_in_train"].examples[0].place == f"{dev}:2"
    near = findings["near_test_question_in_train"]
    assert (near.count, near.severity) == (1, "warning")
    assert near.examples[0].text == f"what is 5 - 3? ~ (1.00) {train}:1: what is 5 + 3?"


def test_odd_and_overlong_texts_are_counted_once_however_often_they_occur(tmp_path):
    rows = [{"question": f"q{n}", "positive_ctxs": [context("clichÃ© " + 13_000 * "x")]} for n in range(3)]
    findings = found(lines(tmp_path / "train.jsonl", rows))
    assert (findings["mojibake"].count, findings["mojibake"].total) == (1, 4)
    assert findings["absurdly_long"].count == 1


def test_texts_are_cut_where_the_models_own_tokenizer_cuts_them(tmp_path, model_folder):
    train = tmp_path / "train.txt"
    train.write_text("the cat\nthe cat sat\nthe cat sat on the snow\n")
    finding = found(train, model=str(model_folder), max_length=5)["truncated_sentences"]
    assert (finding.count, finding.total) == (1, 3)  # [CLS] the cat sat [SEP] fits
    assert finding.examples[0].text == "8 tokens: the cat sat on the snow"


def test_the_expected_number_of_false_negatives_is_told(tmp_path):
    rows = [{"question": f"q{n}", "positive_ctxs": [context("same")]} for n in range(4)]
    finding = found(lines(tmp_path / "train.jsonl", rows), batch_size=2)["false_in_batch_negatives"]
    assert (finding.value, finding.severity) == (2.0, "warning")


def test_what_a_row_says_is_told_where_all_rows_are_one_line(tmp_path):
    train = tmp_path / "train.json"
    rows = [{"question": q, "positive_ctxs": [context("text")]} for q in ("one", "two", "two")]
    train.write_text(json.dumps(rows))
    assert found(train)["same_row"].examples[0].text == f"two (first in {train}:1)"


def test_reading_again_repeats_no_warning_and_silences_nobody_else(tmp_path, monkeypatch, caplog):
    train = tmp_path / "train.csv"
    train.write_text("sent0,sent1,source\na b,c d,x\na b,c d,x\n")

    def text_of(example):
        logging.getLogger("elsewhere").warning("said")
        return example.anchor

    monkeypatch.setattr(doctors, "text_of", text_of)
    assert found(train)["same_row"].examples[0].text == f"a b (first in {train}:2)"
    assert [each.message for each in caplog.records] == [
        f"{train}:1: columns that are not used: source",
        "said",
    ]


def test_pairs_and_sentences_in_one_run_are_refused_as_in_training(tmp_path):
    pairs = lines(tmp_path / "pairs.jsonl", [{"anchor": "a", "positive": "b"}, {"anchor": "c"}])
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("one\n")
    report = check_data(DataCheckConfig(train=(pairs, sentences)))
    (refused,) = report.findings
    assert (refused.name, refused.count, refused.total, report.rows) == ("refused", 2, 3, 1)
    assert [(each.place, each.text) for each in refused.examples] == [
        (f"{path}:{line}", "sentences without positives and pairs cannot be mixed in one run")
        for path, line in ((pairs, 2), (sentences, 1))
    ]


def test_a_row_without_the_columns_is_refused_and_the_others_are_checked(tmp_path):
    rows = [{"anchor": "a", "positive": "b"}, {"anchor": "c d", "x": 1}, {"anchor": "a", "positive": "b"}]
    train = lines(tmp_path / "train.jsonl", rows)
    findings = found(train)
    assert [(each.place, each.text) for each in findings["refused"].examples] == [
        (f"{train}:2", "no column named 'positive' (found: anchor, x)")
    ]
    assert findings["same_row"].examples[0].place == f"{train}:3"


def test_rows_that_are_all_refused_are_told_one_by_one(tmp_path):
    train = lines(tmp_path / "train.jsonl", [{"anchor": ""}, {"sent1": "x"}])
    assert (found(train)["refused"].count, found(train)["refused"].total) == (2, 2)


def test_a_beir_folder_is_read_with_the_lines_of_its_questions(tmp_path):
    (tmp_path / "qrels").mkdir()
    lines(tmp_path / "corpus.jsonl", [{"_id": "d1", "text": "clichÃ©"}])
    lines(tmp_path / "queries.jsonl", [{"_id": n, "text": "the same"} for n in "abc"])
    (tmp_path / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\nb\td1\t1\nc\td1\t1\n")
    finding = found(tmp_path)["same_row"]
    assert finding.examples[0].place == f"{tmp_path / 'queries.jsonl'}:3"


def test_good_data_have_no_finding(tmp_path):
    rows = [{"question": f"q{n}", "positive_ctxs": [context(f"text {n}")]} for n in range(4)]
    report = check_data(DataCheckConfig(train=(lines(tmp_path / "train.jsonl", rows),)))
    assert (report.findings, report.rows, report.kind) == ((), 4, "dpr")
    assert not report.fails("warning")


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", "x\n", "simcse"),
        ("a.csv", "a,b\n", "simcse"),
        ("a.jsonl", '{"question": "x"}', "dpr"),
        ("a.jsonl", '{"anchor": "x"}', "simcse"),
        ("a.json", '[{"sent0": "x", "sent1": "y"}]', "simcse"),
    ],
)
def test_the_kind_is_told_by_the_first_record(tmp_path, name, content, kind):
    (tmp_path / name).write_text(content)
    assert kind_of_data(tmp_path / name) == kind


def test_records_of_neither_kind_are_refused(tmp_path):
    path = lines(tmp_path / "a.jsonl", [{"text": "x", "label": 1}])
    with pytest.raises(InputError) as caught:
        kind_of_data(path)
    assert str(caught.value) == (
        f"{path}:1: expected training data with 'question', or with 'anchor' or 'sent0' (found: text, label)"
    )


def test_a_corpus_of_sentences_is_refused(tmp_path, corpus):
    train = tmp_path / "train.txt"
    train.write_text("a cat\n")
    with pytest.raises(InputError, match="passages are the corpus of questions, and these are sentences"):
        found(train, passages=corpus)


@pytest.mark.parametrize(
    ("row", "given", "message"),
    [
        ({"question": "who?", "positive_ctxs": [context("a cat")]}, {"max_length": 64}, "max_length is of sentences, and these are questions"),
        ({"anchor": "a", "positive": "b"}, {"query_max_length": 32}, "query_max_length is of questions and passages, and these are sentences"),
        ({"anchor": "a", "positive": "b"}, {"passage_format": "{text}"}, "passage_format is of questions and passages, and these are sentences"),
    ],
)  # fmt: skip
def test_a_setting_of_the_other_kind_of_data_is_refused(tmp_path, row, given, message):
    train = lines(tmp_path / "train.jsonl", [row])
    with pytest.raises(InputError) as caught:
        found(train, **given)
    assert str(caught.value) == f"{train}: {message}"
