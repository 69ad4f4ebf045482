import pytest

from tests.data.converting import beir_folder, dpr_question, lines, message_of, objects_of, run, write


def test_questions_take_their_passages_from_the_corpus_given_beside_them(tmp_path):
    questions = write(
        tmp_path / "q.jsonl", lines({"id": "a", "question": "who?", "positive_passage_id": "1"})
    )
    corpus = write(tmp_path / "p.tsv", "id\ttext\ttitle\n1\tAda did.\tA\n2\tBob.\tB\n")
    assert message_of(questions, "dpr", tmp_path / "o.jsonl") == (
        f"{questions}:1: passage '1' is given by its id only: pass the corpus with --passages"
    )
    _, report = run(questions, "dpr", tmp_path / "o.jsonl", passages=corpus)
    assert objects_of(tmp_path / "o.jsonl")[0]["positive_ctxs"] == [
        {"title": "A", "text": "Ada did.", "passage_id": "1"}
    ]
    assert report.dropped == {"passages that no question names": 1}
    write(questions, lines({"id": "a", "question": "who?", "positive_passage_id": "8"}))
    assert message_of(questions, "beir", tmp_path / "b", passages=corpus) == (
        f"{questions}:1: passage '8' is not in the corpus"
    )
    assert not (tmp_path / "b").exists() and list(tmp_path.glob(".*")) == []


def test_one_passage_id_with_two_texts_is_an_error_with_both_places(tmp_path):
    other = dpr_question(positive_ctxs=[{"title": "A", "text": "Another.", "passage_id": "2"}])
    path = write(tmp_path / "q.jsonl", lines(dpr_question(), other))
    for to, output in (("beir", "b"), ("flagembedding", "f.jsonl")):
        assert message_of(path, to, tmp_path / output) == (
            f"{path}:2: passage '2' has another title or text than in q.jsonl:1"
        )
        assert not (tmp_path / output).exists()


def test_a_corpus_with_one_id_twice_is_an_error_unless_the_text_is_the_same(tmp_path):
    folder = beir_folder(tmp_path)
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(lines({"_id": "d2", "text": "second"}))
    _, report = run(folder, "ctl", tmp_path / "out")
    assert report.dropped["passages that stand in the corpus again, with the same text"] == 1
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(lines({"_id": "d2", "text": "other"}))
    assert message_of(folder, "ctl", tmp_path / "o2") == (
        "corpus.jsonl:5: passage 'd2' has another title or text than in corpus.jsonl:2"
    )


def test_ids_that_a_table_cannot_hold_are_refused(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="a b")))
    assert "the id 'a b' holds white space" in message_of(path, "msmarco", tmp_path / "ms")
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id=" a")))
    assert "the id ' a' holds a tab, a line end or outer spaces" in message_of(path, "beir", tmp_path / "b")


def test_a_grade_that_says_the_contrary_is_refused(tmp_path):
    positive = {"title": "", "text": "x", "passage_id": "1", "grade": 0}
    path = write(tmp_path / "q.jsonl", lines(dpr_question(positive_ctxs=[positive])))
    assert message_of(path, "beir", tmp_path / "b").endswith("the positive passage '1' has the grade 0")


def test_gzip_is_read(tmp_path):
    import gzip

    path = tmp_path / "q.jsonl.gz"
    path.write_bytes(gzip.compress(lines(dpr_question()).encode()))
    assert run(path, "flagembedding", tmp_path / "out.jsonl")[0] == "dpr"
    assert len(objects_of(tmp_path / "out.jsonl")) == 1


@pytest.mark.parametrize(
    ("content", "to", "output", "more", "message"),
    [
        ('{"x": 1}', "dpr", "o.jsonl", {}, "cannot tell the format of objects of 'x': say it with --from"),
        ('{"question": " "}', "qa-csv", "o.csv", {}, "in.jsonl:1: 'question' is empty"),
        ('{"query": "q", "pos": ["a"], "pos_scores": []}', "dpr", "o.jsonl", {}, None),
        (
            '{"query": "q", "pos": ["a"], "pos_scores": [1, 2]}',
            "dpr",
            "o.jsonl",
            {},
            "in.jsonl:1: expected 1 numbers in 'pos_scores', found 2",
        ),
        (
            '{"query": "q", "pos": ["a"], "pos_scores": ["x"]}',
            "dpr",
            "o.jsonl",
            {},
            "in.jsonl:1: 'pos_scores' must be a list of numbers, found a string in it",
        ),
        (
            '{"query": "q", "pos": ["a"]}',
            "dpr",
            "o.tsv",
            {},
            "dpr is a file whose name ends in .json or .jsonl",
        ),
        ('{"query": "q", "pos": ["a"]}', "dpr", "in.jsonl", {}, "the output is one of the inputs"),
        (
            '{"query": "q", "pos": ["a"]}',
            "dpr",
            "o.jsonl",
            {"num_hard_negatives": 1},
            "--num-hard-negatives is for triplets",
        ),
        (
            '{"query": "q", "pos": ["a"]}',
            "triplets",
            "o.jsonl",
            {},
            "nothing is left to be written (1 questions without a hard negative (--num-hard-negatives 0 writes pairs))",
        ),
        ('{"query": "q"}', "dpr", "o.jsonl", {"from_": "flagembedding"}, "nothing is left to be written"),
        (
            '{"question": "q", "answers": []}',
            "ctl",
            "o",
            {"from_": "qa-csv"},
            "in.jsonl: qa-csv is a table, whose name ends in .csv or .tsv",
        ),
    ],
)
def test_bad_input_and_odd_wishes_end_in_a_sentence(tmp_path, content, to, output, more, message):
    path = write(tmp_path / "in.jsonl", content + "\n")
    if message is None:
        run(path, to, tmp_path / output, **more)
        return
    assert message in message_of(path, to, tmp_path / output, **more)
    assert not (tmp_path / output).exists() or output == "in.jsonl"


def test_a_question_id_that_occurs_twice_is_an_error(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="a"), dpr_question(id="a")))
    assert message_of(path, "dpr", tmp_path / "o.jsonl") == (
        f"{path}:2: duplicate question id 'a' (first in line 1)"
    )


def test_a_folder_with_several_splits_asks_which(tmp_path):
    folder = beir_folder(tmp_path)
    write(folder / "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq2\td3\t1\n")
    assert "name the split with --split (found: train, test)" in message_of(folder, "ctl", tmp_path / "o")
    run(folder, "ctl", tmp_path / "o", split="train")
    assert objects_of(tmp_path / "o/questions.jsonl")[0]["id"] == "q2"


def test_what_is_no_data_is_named(tmp_path):
    write(tmp_path / "odd/readme.md", "x")
    assert "cannot tell the format of a folder of readme.md" in message_of(
        tmp_path / "odd", "dpr", tmp_path / "o.json"
    )
    assert (
        message_of(tmp_path / "none", "dpr", tmp_path / "o.json")
        == f"{tmp_path / 'none'}: no such file or folder"
    )
    full = write(tmp_path / "full/file", "x").parent
    path = write(tmp_path / "q.jsonl", lines(dpr_question()))
    assert "output folder exists and is not empty" in message_of(path, "beir", full)


def test_a_corpus_in_the_place_of_the_questions_is_told(tmp_path):
    corpus = write(tmp_path / "p.tsv", "id\ttext\ttitle\n1\tAda did.\tA\n")
    assert message_of(corpus, "dpr", tmp_path / "o.jsonl") == (
        f"{corpus}: this is a corpus: INPUT is the questions, and this is --passages"
    )


def test_a_second_id_is_not_dropped_in_silence(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="a", qid="b")))
    _, report = run(path, "dpr", tmp_path / "o.jsonl")
    assert objects_of(tmp_path / "o.jsonl")[0]["id"] == "a"
    assert report.dropped == {"'qid' of questions": 1}
