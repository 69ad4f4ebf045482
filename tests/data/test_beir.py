import gzip
import json
import logging
from pathlib import Path

import pytest

from retriever.data.dpr import read_dpr_examples
from retriever.errors import InputError
from retriever.records import DprExample, Passage, Query

QRELS = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three passages, four questions; two splits."""
    corpus = [{"_id": f"d{at}", "title": f"T{at}", "text": f"text {at}"} for at in range(3)]
    queries = [{"_id": f"q{at}", "text": f"question {at} ?"} for at in range(4)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels/train.tsv").write_text(f"{QRELS}q2\td2\t1\nq2\td1\t0\nq2\td0\t2\nq0\td1\t1\n")
    (tmp_path / "qrels/dev.tsv").write_text(f"{QRELS}q3\td0\t1\n")
    return tmp_path


def passage(at: int) -> Passage:
    return Passage(f"d{at}", f"text {at}", f"T{at}")


TRAIN = [
    DprExample(Query("q0", "question 0 ?"), (passage(1),)),
    DprExample(Query("q2", "question 2 ?"), (passage(2), passage(0))),
]


def message_of(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_dpr_examples(folder))
    return str(caught.value).removeprefix(str(folder))


def test_positives_are_the_passages_judged_above_0_in_the_order_of_the_judgements(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(read_dpr_examples(folder)) == TRAIN
    assert list(read_dpr_examples(folder, split="dev")) == [
        DprExample(Query("q3", "question 3 ?"), (passage(0),))
    ]
    assert caplog.records == []


def test_a_folder_brings_its_own_passages(folder: Path) -> None:
    other = {f"d{at}": Passage(f"d{at}", "another corpus") for at in range(3)}
    assert list(read_dpr_examples(folder, other)) == TRAIN


def test_its_files_may_be_compressed(folder: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    assert list(read_dpr_examples(folder)) == TRAIN


def test_questions_without_a_positive_are_left_out_with_one_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (folder / "qrels/train.tsv").open("a") as file:
        file.write("q1\td0\t0\nq3\td0\t-1\nq3\tunknown\t0\n")
    with caplog.at_level(logging.WARNING):
        assert list(read_dpr_examples(folder)) == TRAIN
    assert [each.getMessage() for each in caplog.records] == [
        f"{folder}/qrels/train.tsv: 2 of 4 judged questions have no passage judged above 0: left out"
    ]


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("q0\td1\t1\nq2\td9\t1\n", "/qrels/train.tsv:3: passage 'd9' is not in corpus.jsonl"),
        ("q0\td1\t1\nq9\td1\t0\nq9\td2\t1\n", "/qrels/train.tsv:4: query 'q9' is not in queries.jsonl"),
        ("q0\td1\t0\n", "/qrels/train.tsv: no passage is judged above 0"),
        ("q0\td1\tx\n", "/qrels/train.tsv:2: grade must be a whole number, found 'x'"),
    ],
)
def test_wrong_judgements_are_errors(folder: Path, qrels: str, message: str) -> None:
    (folder / "qrels/train.tsv").write_text(QRELS + qrels)
    assert message_of(folder) == message


def test_a_folder_that_lacks_a_file_is_told_what_it_should_hold(folder: Path, tmp_path: Path) -> None:
    (folder / "qrels/train.tsv").unlink()
    expected = "expected a BEIR folder of corpus.jsonl, queries.jsonl and qrels/train.tsv"
    assert message_of(folder) == f": no qrels/train.tsv in this folder, {expected} (found in qrels: dev.tsv)"
    (folder / "qrels/dev.tsv").unlink()
    (folder / "corpus.jsonl").unlink()
    assert message_of(folder) == f": no corpus.jsonl in this folder, {expected}"
