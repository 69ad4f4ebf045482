"""Building, opening and searching an index folder, and what happens when that is interrupted or misused."""

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

import retriever.encoding.shards as shards_module
from retriever.config.index import IndexConfig
from retriever.encoding.dual_encoder import DualEncoder
from retriever.errors import InputError
from retriever.index.build import build_index
from retriever.index.layout import read_manifest
from retriever.index.opened import OpenIndex
from retriever.index.update import remove_passages
from retriever.index.workers import PassageModel
from retriever.records import Passage
from retriever.search.open import open_searcher
from tests.index.folders import files, write_passages
from tests.tiny import tiny_encoder


@pytest.fixture
def config(tmp_path: Path, passages: list[Passage], model_folder: Path) -> IndexConfig:
    return IndexConfig(
        passages=write_passages(tmp_path / "passages.jsonl", passages),
        model=str(model_folder),
        output=tmp_path / "index",
        bm25=True,
        shard_size=3,
        device="cpu",
        precision="fp32",
    )


def changed(config: IndexConfig, **values: object) -> IndexConfig:
    return type(config)(**{**vars(config), **values})


def opened(index: Path, **options: object):
    return open_searcher(index, device="cpu", precision="fp32", **options)


def test_search_finds_what_brute_force_over_the_model_finds(
    config: IndexConfig, passages: list[Passage]
) -> None:
    index = build_index(config)
    model = DualEncoder.load(config.model, device="cpu", precision="fp32")
    questions = ["what is the capital of france", "who plays the piano"]
    scores = model.encode_queries(questions) @ model.encode_passages(passages).T
    for ranking, own in zip(opened(index).search(questions, 4), scores, strict=True):
        expected = np.argsort(-own, kind="stable")[:4]
        assert list(ranking.ids) == [passages[row].id for row in expected]
        np.testing.assert_allclose(ranking.scores, own[expected], atol=1e-5)


def test_the_passages_come_back_by_id(config: IndexConfig, passages: list[Passage]) -> None:
    store = OpenIndex.open(build_index(config))
    assert {id: store[id] for id in store} == {each.id: each for each in passages}
    with pytest.raises(KeyError):
        store["no such id"]


def test_bm25_and_hybrid_modes_search_the_same_passages(config: IndexConfig) -> None:
    index = build_index(config)
    assert opened(index, mode="bm25").search(["boils water"], 3)[0].ids == ("p4",)
    hybrid = opened(index, mode="hybrid").search(["boils water"], 10)[0]
    assert hybrid.ids[0] == "p4"
    assert len(hybrid) == 10


def test_k_beyond_the_corpus_returns_the_corpus(config: IndexConfig, passages: list[Passage]) -> None:
    (ranking,) = opened(build_index(config)).search(["cat"], 1000)
    assert sorted(ranking.ids) == sorted(each.id for each in passages)


def test_equal_inputs_give_equal_bytes(config: IndexConfig, tmp_path: Path) -> None:
    first = build_index(config)
    second = build_index(changed(config, output=tmp_path / "other", shard_size=100))
    assert files(first) == files(second)


def test_shards_are_kept_only_when_asked_for(config: IndexConfig, tmp_path: Path) -> None:
    assert not (build_index(config) / "shards").exists()
    kept = build_index(changed(config, output=tmp_path / "kept", keep_shards=True))
    assert len(list((kept / "shards").glob("*.npy"))) == 4


def test_without_bm25_the_modes_that_need_it_say_so(config: IndexConfig) -> None:
    index = build_index(changed(config, bm25=False))
    for mode in ("bm25", "hybrid"):
        with pytest.raises(InputError) as error:
            opened(index, mode=mode)
        assert str(error.value) == f"{index}: built without --bm25, so mode {mode} cannot be had"


def test_a_model_that_the_index_was_not_built_with_is_refused(
    config: IndexConfig, plain_folder: Path, tmp_path: Path
) -> None:
    index = build_index(config)
    loaded = DualEncoder.load(config.model, device="cpu", precision="fp32").query
    other = tiny_encoder(plain_folder, loaded.settings)
    next(other.parameters()).data.mul_(1.5)
    other.save(tmp_path / "other")
    with pytest.raises(InputError) as error:
        opened(index, model=str(tmp_path / "other"))
    assert str(error.value) == (
        f"{index}: built with model '{config.model}' (fingerprint {loaded.fingerprint[:12]}), "
        f"but model '{tmp_path / 'other'}' has fingerprint {other.fingerprint[:12]}"
        ": build the index again, or pass the model it was built with"
    )
    shutil.copytree(config.model, tmp_path / "copy")  # the same model from elsewhere is the same model
    assert opened(index, model=str(tmp_path / "copy")).search(["cat"], 1)


def test_index_and_model_can_move_together(config: IndexConfig, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(config.model, home / "model")
    build_index(changed(config, model=str(home / "model"), output=home / "index"))
    expected = opened(home / "index").search(["cat"], 3)
    home.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved" / "index").search(["cat"], 3) == expected


def test_a_model_that_is_gone_is_named_with_the_remedy(config: IndexConfig, tmp_path: Path) -> None:
    shutil.copytree(config.model, tmp_path / "model")
    index = build_index(changed(config, model=str(tmp_path / "model")))
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(InputError) as error:
        opened(index)
    assert f"was built with model '{tmp_path / 'model'}', which cannot be opened" in str(error.value)
    assert str(error.value).endswith(": pass --model")


def test_a_plain_folder_is_opened_with_the_pooling_it_was_indexed_with(
    config: IndexConfig, plain_folder: Path
) -> None:
    index = build_index(changed(config, model=str(plain_folder), pooling="cls"))
    assert len(opened(index).search(["cat"], 2)[0]) == 2


def two_models(config: IndexConfig, folder: Path) -> IndexConfig:
    """The config with a model for questions and another one for passages, saved in a folder."""
    for name, scale in (("questions", 1.0), ("passages", 1.5)):
        encoder = DualEncoder.load(config.model, device="cpu", precision="fp32").query
        with torch.no_grad():
            for each in encoder.parameters():
                each.mul_(scale)
        encoder.save(folder / name)
    return changed(config, model=str(folder / "questions"), passage_model=str(folder / "passages"))


def test_an_index_of_two_models_searches_with_both_and_moves_with_both(
    config: IndexConfig, passages: list[Passage], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    two = changed(two_models(config, home), output=home / "index")
    index = build_index(two)
    models = [
        DualEncoder.load(each, device="cpu", precision="fp32") for each in (two.model, two.passage_model)
    ]
    scores = models[0].encode_queries(["who plays the piano"]) @ models[1].encode_passages(passages).T
    expected = [passages[row].id for row in np.argsort(-scores[0])[:4]]
    assert list(opened(index).search(["who plays the piano"], 4)[0].ids) == expected
    assert opened(index, model=two.model).search(["cat"], 1)  # the passages' model is the manifest's then
    with pytest.raises(InputError, match="build the index again, or pass the model it was built with"):
        opened(index, passage_model=two.model)
    home.rename(tmp_path / "moved")
    assert list(opened(tmp_path / "moved" / "index").search(["who plays the piano"], 4)[0].ids) == expected
    shutil.rmtree(tmp_path / "moved" / "passages")
    with pytest.raises(InputError) as error:
        opened(tmp_path / "moved" / "index")
    assert str(error.value).endswith(": pass --model and --passage-model")


HOLDS_SOMETHING = ": output folder exists and is not empty"
HOLDS_AN_INDEX = ": holds an index: ctl index add adds to it, another --output makes a new one"


@pytest.mark.parametrize(
    ("left_over", "said"),
    [
        ("file.txt", HOLDS_SOMETHING),
        ("segments/notes.txt", HOLDS_SOMETHING),
        ("segments/000001/photo.png", HOLDS_SOMETHING),
        ("generation-000001/photo.png", HOLDS_SOMETHING),
        ("shards/data-000.tar", "/shards: holds something else (data-000.tar): name a new folder"),
        ("CURRENT", HOLDS_AN_INDEX),
    ],
)
def test_an_output_folder_that_holds_something_is_refused(
    config: IndexConfig, left_over: str, said: str
) -> None:
    (config.output / left_over).parent.mkdir(parents=True)
    (config.output / left_over).write_text("x")
    with pytest.raises(InputError) as error:
        build_index(config)
    assert str(error.value) == f"{config.output}{said}"
    assert files(config.output) == {left_over: b"x"}


def test_vectors_are_not_written_among_other_files(config: IndexConfig, tmp_path: Path) -> None:
    other = {"000000.npy": b"x", ".notes.tmp": b"y"}
    (tmp_path / "mine").mkdir()
    for name, content in other.items():
        (tmp_path / "mine" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"mine: holds something else \(\.notes\.tmp\): name a new folder"):
        build_index(changed(config, vectors=tmp_path / "mine"))
    assert {name: content for name, content in files(tmp_path / "mine").items() if name != ".lock"} == other
    with (
        FileLock(tmp_path / "mine" / ".lock"),
        pytest.raises(InputError, match="another process is encoding into this folder"),
    ):
        build_index(changed(config, vectors=tmp_path / "mine"))


def test_of_two_builds_the_slower_is_refused(config: IndexConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one begins and ends while this one loads its model."""
    load = PassageModel.load

    def load_slowly(model: PassageModel) -> DualEncoder:
        monkeypatch.setattr(PassageModel, "load", load)
        build_index(config)
        return load(model)

    monkeypatch.setattr(PassageModel, "load", load_slowly)
    with pytest.raises(InputError) as error:
        build_index(config)
    assert str(error.value) == f"{config.output}{HOLDS_AN_INDEX}"
    assert len(OpenIndex.open(config.output)) == 10


def test_shards_that_a_kill_at_the_very_end_left_are_deleted_unless_they_are_kept(
    config: IndexConfig, tmp_path: Path
) -> None:
    index, kept = (
        build_index(config),
        build_index(changed(config, output=tmp_path / "kept", keep_shards=True)),
    )
    shutil.copytree(kept / "shards", index / "shards")
    (index / "shards" / "KEPT").unlink()
    for each in (index, kept):
        remove_passages(each, ["p1"])
    assert not (index / "shards").exists()
    assert (kept / "shards" / "manifest.json").exists()


def test_there_may_be_more_shards_than_files_can_be_open(config: IndexConfig) -> None:
    torch.set_num_threads(1)
    write_passages(config.passages, [Passage(str(number), "the cat", "") for number in range(100)])
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
        build_index(changed(config, shard_size=1))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(OpenIndex.open(config.output)) == 100


def test_bm25_of_passages_without_a_word_is_refused(config: IndexConfig) -> None:
    write_passages(config.passages, [Passage("a", "the"), Passage("b", "?")])
    with pytest.raises(InputError) as error:
        build_index(config)
    assert str(error.value) == "no word to index in 2 passages"
    assert not (config.output / "CURRENT").exists()
    assert opened(build_index(changed(config, bm25=False))).search(["cat"], 1)[0].ids


def test_bad_passages_leave_nothing_behind(config: IndexConfig) -> None:
    config.passages.write_text('{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n')
    with pytest.raises(InputError) as error:
        build_index(config)
    assert str(error.value) == f"{config.passages}:2: duplicate passage id '1' (first in line 1)"
    assert not config.output.exists()


def killed_after_shards(config: IndexConfig, shards: int) -> None:
    """Build in a child process that dies without a word after so many shards."""
    child = os.fork()
    if child == 0:
        write, written = shards_module.write_shard, []

        def write_and_die(*args: object) -> None:
            write(*args)
            written.append(1)
            if len(written) == shards:
                os._exit(9)

        shards_module.write_shard = write_and_die
        build_index(config)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("folder", ["shards", "segments/000001.tmp", "bm25-blocks"])
def test_whatever_a_killed_build_left_is_called_unfinished(tmp_path: Path, folder: str) -> None:
    (tmp_path / "index" / folder).mkdir(parents=True)
    with pytest.raises(InputError, match="this index is not finished: run ctl index again"):
        opened(tmp_path / "index")


def test_a_killed_build_goes_on_where_it_was_and_gives_the_same_bytes(
    config: IndexConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)  # threads do not survive a fork
    whole = files(build_index(changed(config, output=tmp_path / "whole")))
    killed_after_shards(config, 2)
    with pytest.raises(InputError) as error:
        opened(config.output)
    assert str(error.value) == f"{config.output}: this index is not finished: run ctl index again"
    encoded = []
    encode = DualEncoder.encode_passages
    monkeypatch.setattr(
        DualEncoder, "encode_passages", lambda self, rows: encoded.extend(rows) or encode(self, rows)
    )
    assert files(build_index(config)) == whole
    assert [each.id for each in encoded] == ["p6", "p7", "p8", "p9"]


def test_shards_of_another_corpus_are_not_used(config: IndexConfig, passages: list[Passage]) -> None:
    killed_after_shards(config, 1)
    give = "name another folder, or give what they were made with"
    write_passages(config.passages, passages[:9])
    with pytest.raises(InputError) as error:
        build_index(config)
    folder = config.output / "shards"
    assert (
        str(error.value) == f"{folder}: the shards here were made with 10 other passages, not these 9: {give}"
    )
    write_passages(config.passages, passages[::-1])
    said = rf"made with passages [0-9a-f]{{12}}…, not [0-9a-f]{{12}}…; max_length 32, not 16: {give}"
    with pytest.raises(InputError, match=said):
        build_index(changed(config, max_length=16))


def test_a_killed_build_goes_on_with_the_shard_size_that_it_had(config: IndexConfig, tmp_path: Path) -> None:
    whole = files(build_index(changed(config, output=tmp_path / "whole")))
    killed_after_shards(config, 2)
    assert files(build_index(changed(config, shard_size=5))) == whole


def test_a_damaged_shard_is_encoded_again(config: IndexConfig, tmp_path: Path) -> None:
    whole = files(build_index(changed(config, output=tmp_path / "whole")))
    killed_after_shards(config, 2)
    shard = config.output / "shards" / "000000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 0xFF
    shard.write_bytes(bytes(content))
    assert files(build_index(config)) == whole


def test_a_file_of_another_size_is_a_damaged_index(config: IndexConfig) -> None:
    index = build_index(config)
    file = index / "segments" / "000001" / "vectors-0000.faiss"
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError) as error:
        read_manifest(index)
    assert (
        str(error.value)
        == f"{file}: expected {size} bytes, found {size - 1}: the index is damaged, build it again"
    )


def test_what_is_no_index_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        opened(tmp_path / "none")
    assert str(error.value) == f"{tmp_path / 'none'}: no such index folder"
    with pytest.raises(InputError) as error:
        opened(tmp_path)
    assert str(error.value) == f"{tmp_path}: not an index folder (no CURRENT)"


def test_a_build_killed_before_its_first_shard_can_be_run_again(config: IndexConfig) -> None:
    (config.output / "segments" / "000001.tmp").mkdir(parents=True)
    (config.output / "segments" / "000001.tmp" / "passages.arrow").write_bytes(b"half")
    assert opened(build_index(config)).search(["cat"], 1)[0].ids


def test_a_device_that_is_missing_is_not_blamed_on_the_model(config: IndexConfig) -> None:
    index = build_index(config)
    with pytest.raises(InputError) as error:
        open_searcher(index, device="cuda:99")
    assert str(error.value).startswith("device 'cuda:99' is not there")
