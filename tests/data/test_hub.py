"""Data sets by name, ``hf:NAME``: from folders that have a hub's layout, as no test may ask a hub."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest

from retriever.data.corpus import read_passages
from retriever.data.dpr import read_dpr_examples, read_questions
from retriever.data.hub import HubName, at_split
from retriever.data.simcse import read_simcse_examples
from retriever.data.sts import read_sts_task
from retriever.errors import InputError
from retriever.records import Passage, SentencePair, SimcseExample


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of its own, and no network: ``datasets`` reads the environment only when it is imported."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)


def write(path: Path, **columns: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def nli(folder: str) -> None:
    """A folder as hubs have them, with two splits."""
    write(Path(folder) / "data/train-00000-of-00002.parquet", anchor=["a"], positive=["b"])
    write(Path(folder) / "data/train-00001-of-00002.parquet", anchor=["c"], positive=["d"])
    write(Path(folder) / "data/validation-00000-of-00001.parquet", anchor=["e"], positive=["f"])


def message_of(name: str, read: Callable[[Path], Iterator[Any]] = read_simcse_examples) -> str:
    with pytest.raises(InputError) as caught:
        list(read(Path(name)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf:owner/name", ("owner/name", None, None)),
        ("hf:owner/name:validation", ("owner/name", None, "validation")),
        ("hf:owner/na.me@20231101.en", ("owner/na.me", "20231101.en", None)),
        ("hf:owner/name@pair-class:train.0", ("owner/name", "pair-class", "train.0")),
        ("hf:squad", ("squad", None, None)),
    ],
)
def test_a_name_says_configuration_and_split(name: str, expected: tuple[str, str | None, str | None]) -> None:
    found = HubName.parse(Path(name))
    assert (found.name, found.config, found.split) == expected


@pytest.mark.parametrize(
    "name", ["hf:", "hf:a/b/c", "hf:a/b:c:d", "hf:a/b:train[:10]", "hf:a/b@", "hf:a b/c"]
)
def test_what_can_be_no_name_is_an_error(name: str) -> None:
    expected = f"{name}: expected hf:OWNER/NAME, hf:OWNER/NAME@CONFIG or hf:OWNER/NAME:SPLIT"
    assert message_of(name) == expected


def test_the_split_is_the_one_that_is_named_else_the_one_that_is_meant() -> None:
    assert at_split(Path("hf:owner/name"), "train") == Path("hf:owner/name:train")
    assert at_split(Path("hf:owner/name@c"), "dev") == Path("hf:owner/name@c:validation")
    assert at_split(Path("hf:owner/name:dev"), "train") == Path("hf:owner/name:dev")
    assert at_split(Path("train.jsonl"), "dev") == Path("train.jsonl")


def test_the_splits_of_a_folder_are_read(tmp_path: Path) -> None:
    nli("owner/nli")
    train = [SimcseExample("a", "b"), SimcseExample("c", "d")]
    for name in ("hf:owner/nli", "hf:./owner/nli:train", f"hf:{tmp_path}/owner/nli"):
        assert list(read_simcse_examples(Path(name))) == train
    assert list(read_simcse_examples(Path("hf:owner/nli:validation"))) == [SimcseExample("e", "f")]
    assert message_of("hf:owner/nli:test") == "hf:owner/nli:test: no split 'test' (found: train, validation)"


def test_what_is_saved_to_disk_is_read_where_it_lies() -> None:
    table = datasets.Dataset.from_dict({"anchor": ["a", "c"], "positive": ["b", "d"]})
    table.save_to_disk("one")
    datasets.DatasetDict({"train": table, "dev": table.select([1])}).save_to_disk("two")
    both = [SimcseExample("a", "b"), SimcseExample("c", "d")]
    for name in ("hf:one", "hf:one:train", "hf:./two"):
        assert list(read_simcse_examples(Path(name))) == both
    assert list(read_simcse_examples(Path("hf:two:dev"))) == both[1:]
    assert message_of("hf:two:validation") == "hf:two:validation: no split 'validation' (found: train, dev)"
    assert message_of("hf:one@x") == "hf:one@x: has no configurations: leave '@x' out"
    assert not Path("cache").exists()


def test_one_file_is_read() -> None:
    write(Path("nli.parquet"), anchor=["a"], positive=["b"])
    for name in ("hf:nli.parquet", "hf:./nli.parquet:train"):
        assert list(read_simcse_examples(Path(name))) == [SimcseExample("a", "b")]
    assert message_of("hf:nli.parquet:dev") == "hf:nli.parquet:dev: no split 'dev' (found: train)"
    Path("nli.csv").write_text("anchor,positive\n")
    assert message_of("hf:nli.csv") == "hf:nli.csv: after hf: expected a folder, a .parquet or an .arrow file"


CARD = """---
configs:
- config_name: pair
  data_files: pair.parquet
- config_name: triplet
  data_files: triplet.parquet
---
"""


def test_of_several_configurations_one_must_be_named() -> None:
    write(Path("nli/pair.parquet"), anchor=["a"], positive=["b"])
    write(Path("nli/triplet.parquet"), anchor=["a"], positive=["b"], negative=["c"])
    Path("nli/README.md").write_text(CARD)
    assert list(read_simcse_examples(Path("hf:nli@pair"))) == [SimcseExample("a", "b")]
    assert list(read_simcse_examples(Path("hf:nli@triplet:train"))) == [SimcseExample("a", "b", ("c",))]
    assert message_of("hf:nli:train") == (
        "hf:nli:train: name one of its configurations, as in hf:nli@pair (found: pair, triplet)"
    )
    assert message_of("hf:nli@pairs") == "hf:nli@pairs:train: no configuration 'pairs' (found: pair, triplet)"


def test_the_other_readers_read_data_sets_too() -> None:
    write(Path("set/train.parquet"), question=["who ?", "what ?"], positive_passage_id=["1", "2"])
    write(Path("set/validation.parquet"), question=["where ?"], positive_passage_id=["1"])
    write(Path("corpus/corpus.parquet"), _id=["1", "2"], text=["x", "y"])
    write(Path("stsb/validation.parquet"), sentence1=["a"], sentence2=["b"], score=[2.5])
    write(Path("stsb/test.parquet"), sentence1=["a"], sentence2=["c"], score=[0.5])
    passages = {each.id: each for each in read_passages(Path("hf:corpus"))}
    assert passages == {"1": Passage("1", "x"), "2": Passage("2", "y")}
    train = list(read_dpr_examples(Path("hf:set"), passages))
    assert [(each.query.text, each.positives) for each in train] == [
        ("who ?", (passages["1"],)),
        ("what ?", (passages["2"],)),
    ]
    dev = read_dpr_examples(Path("hf:set"), passages, split="dev")
    assert [each.query.text for each in dev] == ["where ?"]
    questions = list(read_questions(Path("hf:set:validation")))
    assert [each.positive_ids for each in questions] == [("1",)]
    assert message_of("hf:set", read_questions) == (
        "hf:set: name one of its splits, as in hf:set:train (found: train, validation)"
    )
    assert list(read_sts_task(Path("hf:stsb")).subsets.values()) == [[SentencePair("a", "c", 0.5)]]
    assert list(read_sts_task(Path("hf:stsb"), "dev").subsets.values()) == [[SentencePair("a", "b", 2.5)]]


def test_errors_name_the_data_set_the_split_and_the_row() -> None:
    write(Path("nli/train.parquet"), anchor=["a", "b", "c"], positive=["d", "e", None])
    assert message_of("hf:nli") == "hf:nli:train:3: 'positive' must be a string, found null"
    write(Path("pairs/train.parquet"), premise=["a"], hypothesis=["b"])
    assert message_of("hf:pairs") == (
        "hf:pairs:train:1: no column named 'sent1' (found: premise, hypothesis)"
    )


def test_what_cannot_be_loaded_is_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="datasets")
    assert message_of("hf:./nothing") == "hf:./nothing: no such folder or file"
    assert message_of("hf:owner/nothing") == (
        "hf:owner/nothing:train: the hub cannot be reached, and the data set is not in the cache of an earlier run"
    )
    Path("empty").mkdir()
    assert message_of("hf:empty").startswith("hf:empty:train: cannot be loaded (")
    Path("bad").mkdir()
    Path("bad/train.parquet").write_text("no parquet")
    found = message_of("hf:bad")
    assert found.startswith("hf:bad:train: cannot be loaded (Parquet magic bytes not found")
    assert "\n" not in found


def test_a_data_set_that_the_hub_does_not_have_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, config: str | None) -> None:
        raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{name}' doesn't exist on the Hub.")

    monkeypatch.setattr("datasets.load_dataset", refuse)
    assert message_of("hf:owner/nothing:train") == (
        "hf:owner/nothing:train: no such data set on the hub, or one that asks for a login (hf auth login)"
    )


def test_a_loading_script_is_not_run() -> None:
    Path("script").mkdir()
    Path("script/script.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    assert message_of("hf:script").startswith("hf:script:train: cannot be loaded (")
    assert not Path("ran").exists()
