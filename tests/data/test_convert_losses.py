"""What a conversion must not lose, mix up or overwrite in silence."""

import json
from datetime import date
from pathlib import Path

import pytest

from retriever.data.dpr import read_dpr_examples, read_questions
from tests.data.converting import beir_folder, dpr_question, lines, message_of, objects_of, run, write


def test_a_passage_is_no_positive_and_negative_of_one_question(tmp_path):
    rows = "".join(f"a x,{row}\n" for row in ("b,c", "c,d", "b,c"))
    path = write(tmp_path / "t.csv", f"anchor,positive,negative\n{rows}")
    _, report = run(path, "triplets", tmp_path / "out.jsonl")
    assert objects_of(tmp_path / "out.jsonl") == [
        {"anchor": "a x", "positive": "b", "negative": "d"},
        {"anchor": "a x", "positive": "c", "negative": "d"},
    ]
    assert report.dropped == {
        "rows that stand there again": 1,
        "hard negatives that are positives of the same question": 1,
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "anchor,positive,label,note\na,b,1,\nc,d,0,x\n"),
        ("t.jsonl", lines({"anchor": "a", "positive": "b", "label": 1}, {"anchor": "c", "positive": "d", "label": 0, "note": "x"})),
    ],
)  # fmt: skip
def test_columns_of_triplets_that_are_not_read_are_counted(tmp_path, caplog, name, content):
    path = write(tmp_path / name, content)
    _, report = run(path, "triplets", tmp_path / "out.jsonl", num_hard_negatives=0)
    assert report.dropped == {"'label' of rows": 2, "'note' of rows": 1}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.tsv", "id\turl\ttext\ttitle\n1\thttp://a\tfirst\tOne\n2\t\tsecond\tTwo\n"),
        ("corpus.jsonl", lines({"id": "1", "url": "http://a", "text": "first"}, {"id": "2", "url": "", "text": "second"})),
    ],
)  # fmt: skip
def test_columns_of_a_corpus_that_are_not_read_are_counted(tmp_path, name, content):
    corpus = write(tmp_path / name, content)
    questions = write(
        tmp_path / "q.jsonl", lines({"id": "q", "question": "who?", "positive_passage_id": "1"})
    )
    _, report = run(questions, "ctl", tmp_path / "out", passages=corpus)
    assert report.dropped == {"'url' of the corpus": 1}


def test_every_target_drops_negatives_that_are_positives_by_id_or_text(tmp_path):
    negatives = [
        {"title": "A", "text": "Ada did."},
        {"title": "A", "text": "Ada did.", "passage_id": "1"},
        {"text": "Bob."},
    ]
    question = dpr_question(hard_negative_ctxs=negatives, negative_ctxs=negatives)
    path = write(tmp_path / "q.jsonl", lines(question))
    for to, output in (("dpr", "d.jsonl"), ("flagembedding", "f.jsonl"), ("tevatron", "t.jsonl")):
        _, report = run(path, to, tmp_path / output)
        assert report.dropped["hard negatives that are positives of the same question"] == 2
        assert report.dropped["other negatives that are positives of the same question"] == 2
    (example,) = objects_of(tmp_path / "d.jsonl")
    assert example["hard_negative_ctxs"] == example["negative_ctxs"] == [{"title": "", "text": "Bob."}]


def test_triplets_do_not_contradict_themselves_once_titles_are_gone(tmp_path):
    negatives = [{"title": "B", "text": "Ada did."}, {"text": "Bob."}, {"title": "C", "text": "Bob."}]
    path = write(tmp_path / "q.jsonl", lines(dpr_question(hard_negative_ctxs=negatives)))
    _, report = run(path, "triplets", tmp_path / "t.jsonl")
    assert [each["negative"] for each in objects_of(tmp_path / "t.jsonl")] == ["Bob."]
    assert report.dropped["hard negatives with the text of a positive"] == 1
    assert report.dropped["passages with the same text"] == 1


def test_pairs_that_no_row_gave_are_counted(tmp_path):
    path = write(tmp_path / "t.tsv", "a x\tb\tc\na x\td\te\n")
    _, report = run(path, "triplets", tmp_path / "out.jsonl")
    assert report.written["rows"] == 4
    assert report.changed == {"questions whose every positive is paired with every negative": 1}


def test_nothing_is_written_into_an_input_folder(tmp_path, monkeypatch):
    folder = beir_folder(tmp_path)
    before = (folder / "queries.jsonl").read_text()
    for name in ("queries.jsonl", "new.jsonl", "qrels/new.jsonl"):
        assert message_of(folder, "dpr", folder / name) == (
            f"{folder / name}: the output is in the folder {folder}, which is an input"
        )
    assert (folder / "queries.jsonl").read_text() == before
    monkeypatch.chdir(tmp_path)
    assert "which is an input" in message_of(Path("hf:./beir"), "dpr", folder / "queries.jsonl")


def test_the_split_is_that_of_the_files_that_are_there(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="9")))
    for to, name in (("msmarco", "qrels.dev.tsv"), ("tevatron-ids", "dev.jsonl")):
        run(path, to, tmp_path / to, split="dev")
        assert (tmp_path / to / name).is_file()
        run(tmp_path / to, "beir", tmp_path / f"beir {to}")
        assert [each.name for each in (tmp_path / f"beir {to}/qrels").iterdir()] == ["dev.tsv"]
    run(path, "tevatron-ids", tmp_path / "both", split="dev")
    write(tmp_path / "both/train.jsonl", "{}\n")
    assert "name the split with --split (found: train, dev)" in message_of(
        tmp_path / "both", "dpr", tmp_path / "o.jsonl"
    )


def test_the_split_of_a_data_set_is_that_of_its_name(tmp_path):
    write(tmp_path / "set/validation.jsonl", lines(dpr_question(id="9")))
    run(Path(f"hf:{tmp_path}/set:validation"), "beir", tmp_path / "out")
    assert [each.name for each in (tmp_path / "out/qrels").iterdir()] == ["dev.tsv"]


def test_a_repeated_passage_is_the_same_in_a_table_and_in_lines(tmp_path):
    questions = write(tmp_path / "q.jsonl", lines({"question": "who?", "positive_passage_id": "1"}))
    table = write(tmp_path / "p.tsv", "id\ttext\ttitle\n1\tAda.\t\n1\tAda.\t\n")
    _, report = run(questions, "beir", tmp_path / "b", passages=table)
    assert report.dropped == {"passages that stand in the corpus again, with the same text": 1}
    write(table, "id\ttext\ttitle\n1\tAda.\t\n1\tEve.\t\n")
    assert message_of(questions, "beir", tmp_path / "c", passages=table) == (
        "p.tsv:3: passage '1' has another title or text than in p.tsv:2"
    )


def test_the_second_of_two_texts_is_counted(tmp_path):
    row = {
        "query_id": "1",
        "query": "who?",
        "query_text": "who is it?",
        "positive_passages": [{"docid": "1", "title": "", "text": "Ada."}],
        "negative_passages": [],
    }
    _, report = run(write(tmp_path / "t.jsonl", lines(row)), "tevatron", tmp_path / "out.jsonl")
    assert report.dropped == {"'query_text' of questions": 1}
    corpus = write(tmp_path / "p.jsonl", lines({"id": "1", "text": "Ada.", "document_text": "Ada!"}))
    questions = write(tmp_path / "q.jsonl", lines({"question": "who?", "positive_passage_id": "1"}))
    _, report = run(questions, "dpr", tmp_path / "d.jsonl", passages=corpus)
    assert report.dropped == {"'document_text' of the corpus": 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("collection.tsv", "1048585\tThe quick fox.\n"),
        ("qrels.tsv", "q1\t0\td7\t1\n"),
        ("test.tsv", "query-id\tcorpus-id\tscore\na\tb\t1\n"),
    ],
)
def test_tables_of_ids_are_no_triplets(tmp_path, name, content):
    path = write(tmp_path / name, content)
    assert "cannot tell the format of a table of ids (of MS MARCO's or BEIR's tables give the folder" in (
        message_of(path, "dpr", tmp_path / "o.jsonl")
    )
    assert not (tmp_path / "o.jsonl").exists()


@pytest.mark.parametrize(
    ("ids", "passage_ids"),
    [
        ({"query_id": "77"}, {"docid": "9"}),
        ({"query_id": "", "id": "5"}, {"passage_id": "", "_id": "9"}),
        ({"id": "5", "query_id": "77", "qid": 3}, {"id": "8", "docid": "9"}),
        ({}, {"psg_id": ""}),
    ],
)
def test_a_record_has_the_same_ids_for_training_and_conversion(tmp_path, ids, passage_ids):
    question = dpr_question(positive_ctxs=[{"text": "Ada.", **passage_ids}], **ids)
    path = write(tmp_path / "q.jsonl", lines(question))
    run(path, "dpr", tmp_path / "out.jsonl")
    before, after = (next(read_dpr_examples(each)) for each in (path, tmp_path / "out.jsonl"))
    assert before.query == after.query and before.positives == after.positives
    assert next(read_questions(path)).query.id == before.query.id
    run(path, "tevatron", tmp_path / "t.jsonl")
    (row,) = objects_of(tmp_path / "t.jsonl")
    assert (row["query_id"], row["positive_passages"][0]["docid"]) == (
        before.query.id,
        before.positives[0].id,
    )


def test_an_empty_id_is_an_error_for_training_and_conversion(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="")))
    assert message_of(path, "dpr", tmp_path / "o.jsonl") == f"{path}:1: 'id' is empty"
    with pytest.raises(ValueError, match="'id' is empty"):
        next(read_dpr_examples(path))


def test_a_number_that_is_an_id_already_is_told(tmp_path):
    first, second = dpr_question(id="2"), dpr_question()
    path = write(tmp_path / "q.jsonl", lines(first, second))
    assert message_of(path, "dpr", tmp_path / "o.jsonl") == (
        f"{path}:2: '2' is the id of a question, and the number of another, which has none: "
        "give ids to all questions or to none"
    )
    _, report = run(path, "flagembedding", tmp_path / "o.jsonl")
    assert report.written == {"questions": 2}


def test_dates_become_text_and_bytes_are_counted(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    row = dpr_question(id="1", asked=date(2020, 1, 2), image={"bytes": b"\x89PNG", "path": None})
    del row["negative_ctxs"]
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "q.parquet")
    _, report = run(tmp_path / "q.parquet", "dpr", tmp_path / "o.jsonl")
    (example,) = objects_of(tmp_path / "o.jsonl")
    assert example["asked"] == "2020-01-02" and "image" not in example
    assert report.dropped == {"'image' of questions": 1}


def test_errors_in_tables_name_the_line(tmp_path):
    path = write(tmp_path / "l.csv", "anchor\na sentence\n")
    assert message_of(path, "dpr", tmp_path / "o.jsonl", from_="triplets") == (
        f"{path}:2: expected an anchor and a positive, found sentences"
    )


def test_a_table_whose_first_row_reads_as_a_header_is_refused(tmp_path):
    def table(*anchors):
        rows = [{"anchor": each, "positive": "dog", "negative": "bird"} for each in anchors]
        return write(tmp_path / "t.jsonl", "".join(json.dumps(each) + "\n" for each in rows))

    assert message_of(table("cat", "a cow"), "triplets", tmp_path / "o.tsv") == (
        f"{tmp_path / 'o.tsv'}: the first row is single words, which are read as a header: cat, dog, bird; "
        "write .csv or .jsonl"
    )
    assert not (tmp_path / "o.tsv").exists()
    run(table("a cow", "cat"), "triplets", tmp_path / "o.tsv")
    run(tmp_path / "o.tsv", "triplets", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "t.jsonl").read_text()


def test_a_passage_named_twice_is_judged_once_or_refused(tmp_path):
    twice = {"text": "Ada did.", "passage_id": "1", "grade": 2}
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="q", positive_ctxs=[twice, twice])))
    _, report = run(path, "beir", tmp_path / "b", split="test")
    assert report.dropped["passages that their question names twice"] == 1
    assert (tmp_path / "b/qrels/test.tsv").read_text() == "query-id\tcorpus-id\tscore\nq\t1\t2\n"
    other = {"text": "Ada did.", "passage_id": "1"}
    write(path, lines(dpr_question(id="q", positive_ctxs=[other, twice])))
    assert message_of(path, "beir", tmp_path / "c").endswith(
        "query 'q' has two grades for passage '1': 1 and 2"
    )
