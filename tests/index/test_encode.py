"""Vectors in a folder of their own: what ``ctl encode`` writes, and an index made of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from cli.main import main
from retriever.config.index import EncodeConfig, IndexConfig
from retriever.data.arrow import PassageTable
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import Shard
from retriever.errors import InputError
from retriever.index.build import build_index
from retriever.index.encode import encode_corpus
from retriever.index.workers import PassageModel, run_in_workers, worker_devices
from retriever.records import Passage
from tests.index.folders import files, killed_at, write_passages


@pytest.fixture
def config(tmp_path: Path, passages: list[Passage], model_folder: Path) -> EncodeConfig:
    return EncodeConfig(
        passages=write_passages(tmp_path / "passages.jsonl", passages),
        model=str(model_folder),
        output=tmp_path / "vectors",
        shard_size=4,
        device="cpu",
        precision="fp32",
    )


def changed(config: EncodeConfig, **values: object) -> EncodeConfig:
    return EncodeConfig(**{**vars(config), **values})


def vectors_in(folder: Path) -> np.ndarray:
    return np.concatenate([np.load(each) for each in sorted(folder.glob("*.npy"))])


def index_config(config: EncodeConfig, output: Path, **options: object) -> IndexConfig:
    return IndexConfig(**{**vars(config), "output": output, **options})


def test_row_n_of_the_shards_is_the_vector_of_row_n_of_the_passages(
    config: EncodeConfig, passages: list[Passage]
) -> None:
    folder = encode_corpus(config)
    expected = DualEncoder.load(config.model, device="cpu", precision="fp32").encode_passages(passages)
    np.testing.assert_allclose(vectors_in(folder), expected, atol=1e-6)
    assert list(PassageTable(folder / "passages.arrow")) == passages
    assert [len(np.load(each)) for each in sorted(folder.glob("*.npy"))] == [4, 4, 2]


def test_half_precision_shards_are_the_same_rounded(config: EncodeConfig, tmp_path: Path) -> None:
    full, half = encode_corpus(config), encode_corpus(changed(config, output=tmp_path / "half", dtype="fp16"))
    found = vectors_in(half)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, vectors_in(full).astype(np.float16))
    with pytest.raises(InputError, match="made with dtype fp16, not fp32"):
        encode_corpus(changed(config, output=half))


def test_a_number_that_half_precision_does_not_have_is_refused(
    config: EncodeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        DualEncoder, "encode_passages", lambda self, rows: np.full((len(rows), 32), 7e4, np.float32)
    )
    with pytest.raises(InputError, match="a vector of passages 0 to 4 is too long for fp16"):
        encode_corpus(changed(config, dtype="fp16"))


@pytest.mark.slow
def test_a_kill_at_any_moment_costs_a_shard_and_changes_no_byte(config: EncodeConfig, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole, finished, call = files(encode_corpus(changed(config, output=tmp_path / "whole"))), False, 0
    while not finished:
        call += 1
        output = tmp_path / f"killed-{call}"
        finished = killed_at(call, lambda output=output: encode_corpus(changed(config, output=output)))
        assert files(encode_corpus(changed(config, output=output))) == whole
    assert call > 10


def test_an_index_of_these_vectors_is_the_index_that_encodes_itself(
    config: EncodeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    itself = build_index(index_config(config, tmp_path / "itself"))
    folder = encode_corpus(config)
    before = files(folder)
    monkeypatch.setattr(DualEncoder, "encode_passages", None)  # nothing is left to encode
    other = build_index(index_config(config, tmp_path / "other", vectors=folder))
    assert files(other) == files(itself)
    assert files(folder) == before


def test_the_folder_says_in_which_type_and_shards_its_vectors_are(
    config: EncodeConfig, tmp_path: Path
) -> None:
    folder = encode_corpus(changed(config, dtype="fp16", shard_size=2))
    index = build_index(index_config(config, tmp_path / "index", vectors=folder))
    half = build_index(index_config(config, tmp_path / "half", dtype="fp16", shard_size=2))
    assert files(index) == files(half)


def test_vectors_of_another_model_or_corpus_are_refused(
    config: EncodeConfig, tmp_path: Path, passages: list[Passage]
) -> None:
    folder = encode_corpus(config)
    for change, name in (
        ({"max_length": 16}, "max_length"),
        ({"passage_format": "{text}"}, "passage_format"),
    ):
        with pytest.raises(InputError, match=f"the shards here were made with {name}"):
            build_index(index_config(config, tmp_path / "index", vectors=folder, **change))
    write_passages(config.passages, passages[::-1])
    with pytest.raises(InputError, match="the shards here were made with passages"):
        build_index(index_config(config, tmp_path / "index", vectors=folder))
    assert not (tmp_path / "index").exists()


def test_other_passages_do_not_replace_those_whose_vectors_are_there(
    config: EncodeConfig, passages: list[Passage]
) -> None:
    before = files(encode_corpus(config))
    write_passages(config.passages, passages[::-1])
    with pytest.raises(InputError) as error:
        encode_corpus(config)
    said = "holds vectors of other passages: name another folder, or delete this one"
    assert str(error.value) == f"{config.output}: {said}"
    assert files(config.output) == before


def test_bad_passages_leave_nothing_and_a_folder_of_something_else_is_left_alone(
    config: EncodeConfig, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    with pytest.raises(InputError, match="output folder exists and is not empty"):
        encode_corpus(changed(config, output=tmp_path / "notes"))
    config.passages.write_text("{}\n")
    with pytest.raises(InputError, match="no 'id' or '_id'"):
        encode_corpus(config)
    assert not config.output.exists()


def test_a_corpus_in_the_output_folder_is_not_overwritten(config: EncodeConfig, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "passages.arrow").write_bytes(b"a user's")
    with pytest.raises(InputError, match="output folder exists and is not empty"):
        encode_corpus(changed(config, output=data))
    assert (data / "passages.arrow").read_bytes() == b"a user's"
    index = build_index(index_config(config, tmp_path / "index", bm25=True))
    before = files(index)
    with pytest.raises(InputError, match="output folder exists and is not empty"):
        encode_corpus(changed(config, output=index / "segments" / "000001"))
    assert files(index) == before
    own = encode_corpus(config) / "passages.arrow"
    with pytest.raises(InputError, match="the output folder's own"):
        encode_corpus(changed(config, passages=own))


def test_a_file_in_place_of_a_folder_is_refused(config: EncodeConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="output folder exists and is a file"):
        encode_corpus(changed(config, output=tmp_path / "file"))
    with pytest.raises(InputError, match="output folder exists and is a file"):
        build_index(index_config(config, tmp_path / "index", vectors=tmp_path / "file"))


def test_a_build_that_fails_leaves_no_folder_of_vectors(config: EncodeConfig, tmp_path: Path) -> None:
    config.passages.write_text("{}\n")
    with pytest.raises(InputError, match="no 'id' or '_id'"):
        build_index(index_config(config, tmp_path / "index", vectors=tmp_path / "new"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"keep_shards": True}, "those of vectors are kept anyway"), ({"vectors": "index"}, "the same folder")],
)
def test_flags_beside_vectors_that_would_do_nothing_are_refused(
    config: EncodeConfig, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    folder = tmp_path / str(options.pop("vectors", "vectors"))
    with pytest.raises(InputError, match=message):
        index_config(config, tmp_path / "index", vectors=folder, **options)


def test_who_is_refused_leaves_what_the_first_is_writing(config: EncodeConfig) -> None:
    config.output.mkdir()
    (config.output / "passages.arrow.tmp").write_bytes(b"on the way")
    with FileLock(config.output / ".lock"), pytest.raises(InputError, match="another process"):
        encode_corpus(config)
    assert (config.output / "passages.arrow.tmp").read_bytes() == b"on the way"


def test_of_two_processes_the_second_is_refused(config: EncodeConfig) -> None:
    folder = encode_corpus(config)
    with FileLock(folder / ".lock"), pytest.raises(InputError) as error:
        encode_corpus(config)
    assert (
        str(error.value) == f"{folder}: another process is encoding into this folder: wait until it is done"
    )


def test_the_command(config: EncodeConfig, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--passages", str(config.passages), "--model", config.model, "--output", str(config.output)]
    assert main(["encode", *flags, "--dtype", "fp16", "--device", "cpu", "--precision", "fp32"]) == 0
    assert capsys.readouterr().out == f"{config.output}\n"
    assert json.loads((config.output / "manifest.json").read_text())["dtype"] == "fp16"


@pytest.mark.slow
def test_workers_make_the_same_bytes(config: EncodeConfig, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    one = files(encode_corpus(config))
    two = files(encode_corpus(changed(config, output=tmp_path / "two", workers=2)))
    assert two == one
    index = build_index(index_config(config, tmp_path / "index"))
    assert files(build_index(index_config(config, tmp_path / "index-2", workers=2))) == files(index)


def test_what_is_wrong_in_a_worker_is_said_here(
    config: EncodeConfig, model_folder: Path, tmp_path: Path
) -> None:
    folder = encode_corpus(config)
    (folder / "000001.json").unlink()
    how = replace(PassageModel.of(config), name=str(tmp_path / "none"))
    run = run_in_workers(how, folder / "passages.arrow", ["cpu"], "fp32", "fp32")
    shard = Shard(4, 4, folder / "000001.npy")
    with pytest.raises(InputError, match="none"):
        run([shard], lambda count: None)
    run([], lambda count: None)


def test_more_workers_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert worker_devices(torch.device("cuda"), 2) == ["cuda:0", "cuda:1"]
    assert worker_devices(torch.device("cpu"), 3) == ["cpu"] * 3
    with pytest.raises(InputError, match="workers take one GPU each: 3 of them, but PyTorch sees 2"):
        worker_devices(torch.device("cuda"), 3)
