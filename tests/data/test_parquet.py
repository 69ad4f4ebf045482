"""Parquet files, as hubs keep data sets, are read wherever JSON Lines are."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from retriever.data.corpus import read_passages
from retriever.data.dpr import read_questions
from retriever.data.simcse import read_simcse_examples
from retriever.data.sts import read_sts_task
from retriever.errors import InputError
from retriever.records import Passage, SentencePair, SimcseExample


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
