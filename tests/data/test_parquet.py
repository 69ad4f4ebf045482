"""Parquet and Arrow files are read wherever JSON Lines are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from retriever.data.corpus import read_passages
from retriever.data.dpr import read_dpr_examples, read_questions
from retriever.data.simcse import read_simcse_examples
from retriever.data.sts import read_sts_task
from retriever.errors import InputError
from retriever.records import Passage, SentencePair, SimcseExample, content_id


def write(path: Path, **columns: list) -> Path:
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def test_every_reader_of_records_reads_parquet(tmp_path: Path) -> None:
    nli = write(tmp_path / "nli.parquet", sent0=["a", "b"], sent1=["c", "d"], hard_neg=["e", "f"])
    assert list(read_simcse_examples(nli)) == [
        SimcseExample("a", "c", ("e",)),
        SimcseExample("b", "d", ("f",)),
    ]
    corpus = write(tmp_path / "corpus.parquet", id=["1", "2"], title=["t", ""], text=["x", "y"])
    assert list(read_passages(corpus)) == [Passage("1", "x", "t"), Passage("2", "y")]
    sts = write(tmp_path / "sts.parquet", sentence1=["a"], sentence2=["b"], score=[2.5])
    assert read_sts_task(sts).subsets["sts"] == [SentencePair("a", "b", 2.5)]
    questions = write(tmp_path / "q.parquet", question=["who ?"], positive_passage_id=["1"])
    assert [each.positive_ids for each in read_questions(questions)] == [("1",)]


def write_arrow(path: Path, batches: list[pa.RecordBatch], new: Callable[..., Any]) -> Path:
    with pa.OSFile(str(path), "wb") as sink, new(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_both_kinds_of_arrow_files_are_read(tmp_path: Path, new: Callable[..., Any]) -> None:
    batches = [pa.record_batch({"id": ["1", "2"], "text": ["x", "y"]})]
    batches.append(pa.record_batch({"id": [str(row) for row in range(3, 1000)], "text": ["z"] * 997}))
    corpus = write_arrow(tmp_path / "corpus.arrow", batches, new)
    found = list(read_passages(corpus))
    assert found[:3] == [Passage("1", "x"), Passage("2", "y"), Passage("3", "z")]
    assert [each.id for each in found] == [str(row) for row in range(1, 1000)]


def test_passages_of_dpr_may_be_nested(tmp_path: Path) -> None:
    context = {"title": "T", "text": "a", "passage_id": None}
    path = write(tmp_path / "dpr.parquet", question=["who ?"], answers=[["x"]], positive_ctxs=[[context]])
    [example] = read_dpr_examples(path)
    assert (example.answers, example.positives) == (("x",), (Passage(content_id("a", "T"), "a", "T"),))


@pytest.mark.parametrize("rows", [20_000, 40_000])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, rows: int) -> None:
    text = pa.array([f"{row} {'x' * 1000}" for row in range(rows)])
    path = write(tmp_path / "long.parquet", sent0=text, sent1=text)
    before = pa.total_allocated_bytes()
    peak = max(pa.total_allocated_bytes() - before for _ in read_simcse_examples(path))
    assert peak < 10_000_000 < text.nbytes


def test_what_is_no_text_is_an_error_with_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "bytes.parquet", sent0=["a", "b"], sent1=["c", "d"], hard_neg=[None, b"e"])
    with pytest.raises(InputError) as error:
        list(read_simcse_examples(path))
    assert str(error.value) == f"{path}:2: 'hard_neg' must be a string, found bytes"
    broken = pa.array([b"good"] * 300 + [b"\xff"]).view(pa.string())
    path = write(tmp_path / "broken.parquet", sent0=broken, sent1=broken)
    with pytest.raises(InputError) as error:
        list(read_simcse_examples(path))
    assert str(error.value) == f"{path}:301: not UTF-8"


def test_errors_name_the_row(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus.parquet", id=["1", "1"], text=["x", "y"])
    with pytest.raises(InputError) as error:
        list(read_passages(corpus))
    assert str(error.value) == f"{corpus}:2: duplicate passage id '1' (first in line 1)"


def test_what_is_no_parquet_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.parquet: no such file"):
        list(read_passages(tmp_path / "none.parquet"))
    (tmp_path / "bad.parquet").write_text("id,text")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(read_passages(tmp_path / "bad.parquet"))
    for content in ("", "id,text"):
        (tmp_path / "bad.arrow").write_text(content)
        with pytest.raises(InputError, match="cannot be read as Arrow"):
            list(read_passages(tmp_path / "bad.arrow"))
    (tmp_path / "folder.arrow").mkdir()
    with pytest.raises(InputError, match="is a folder, expected a file"):
        list(read_passages(tmp_path / "folder.arrow"))
