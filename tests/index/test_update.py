"""Adding to, removing from and compacting an index that is in use, and what happens when that is interrupted."""

import errno
import json
import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from cli.main import main
from retriever.config.index import (
    EncodeConfig,
    IndexAddConfig,
    IndexConfig,
    IndexRemoveConfig,
    IndexVerifyConfig,
)
from retriever.encoding.dual_encoder import DualEncoder
from retriever.errors import InputError
from retriever.index import model as model_module
from retriever.index.build import build_index
from retriever.index.encode import encode_corpus
from retriever.index.faiss_index import FaissIndex
from retriever.index.layout import Generation, current_generation, read_manifest, switch_to
from retriever.index.opened import OpenIndex
from retriever.index.update import add_passages, compact_index, ids_to_remove, remove_passages
from retriever.index.verify import verify_index
from retriever.records import Passage
from retriever.search.open import open_searcher
from tests.index.folders import files, killed_after, killed_at, write_passages

QUESTIONS = ["what is the capital of france", "who plays the piano"]


def build(folder: Path, passages: list[Passage], model: Path, **options: object) -> Path:
    folder.mkdir(exist_ok=True)
    return build_index(
        IndexConfig(
            passages=write_passages(folder / "passages.jsonl", passages),
            model=str(model),
            output=folder / "index",
            shard_size=3,
            device="cpu",
            precision="fp32",
            **options,
        )
    )


def addition(index: Path, passages: list[Passage], **options: object) -> IndexAddConfig:
    file = write_passages(index.parent / "more.jsonl", passages)
    return IndexAddConfig(index=index, passages=file, device="cpu", shard_size=2, **options)


def found(index: Path, k: int = 20, **options: object) -> list[dict[str, float]]:
    searcher = open_searcher(index, device="cpu", precision="fp32", **options)
    return [dict(zip(each.ids, each.scores, strict=True)) for each in searcher.search(QUESTIONS, k)]


def same(first: list[dict[str, float]], second: list[dict[str, float]]) -> None:
    """The same passages in the same order, with the same scores but for the batches that they were encoded in."""
    for one, other in zip(first, second, strict=True):
        assert list(one) == list(other)
        np.testing.assert_allclose(list(one.values()), list(other.values()), atol=1e-5)


@pytest.fixture
def index(tmp_path: Path, passages: list[Passage], model_folder: Path) -> Path:
    return build(tmp_path / "home", passages[:6], model_folder, bm25=True)


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
def test_adding_in_parts_is_building_at_once(
    index: Path, passages: list[Passage], model_folder: Path, tmp_path: Path, mode: str
) -> None:
    add_passages(addition(index, passages[6:8]))
    opened = add_passages(addition(index, passages[8:]))
    assert len(opened.segments) == 3
    assert dict(opened) == {each.id: each for each in passages}
    at_once = build(tmp_path / "once", passages, model_folder, bm25=True)
    same(found(index, mode=mode), found(at_once, mode=mode))
    assert not (index / "shards").exists()


@pytest.mark.parametrize("mode", ["dense", "bm25"])
def test_removing_is_building_without(
    index: Path, passages: list[Passage], model_folder: Path, tmp_path: Path, mode: str
) -> None:
    add_passages(addition(index, passages[6:]))
    opened = remove_passages(index, ["p1", "p7", "p9"])
    left = [each for each in passages if each.id not in ("p1", "p7", "p9")]
    assert list(opened) == [each.id for each in left]
    assert len(opened) == len(left)
    assert "p7" not in opened
    with pytest.raises(KeyError):
        opened["p7"]
    without = build(tmp_path / "without", left, model_folder, bm25=True)
    same(found(index, mode=mode), found(without, mode=mode))
    same(found(index, k=2, mode=mode), found(without, k=2, mode=mode))


def test_compacting_changes_nothing_that_is_found_and_drops_what_was_removed(
    index: Path, passages: list[Passage]
) -> None:
    add_passages(addition(index, passages[6:]))
    remove_passages(index, ["p1", "p7"])
    before = found(index)
    opened = compact_index(index)
    assert found(index) == before  # to the last bit: nothing was encoded again
    assert (len(opened.segments), len(opened.removed), opened.num_rows) == (1, 0, len(passages) - 2)
    assert [each.name for each in (index / "segments").iterdir()] == ["000003"]
    generation = current_generation(index)
    compact_index(index)
    assert current_generation(index) == generation  # there was nothing to do


def test_a_removed_id_can_be_added_again_and_replacing_is_both_at_once(
    index: Path, passages: list[Passage]
) -> None:
    remove_passages(index, ["p1"])
    other = Passage("p1", "who plays the piano in the garden", "")
    assert add_passages(addition(index, [other]))["p1"] == other
    again = Passage("p1", "the cat", "")
    with pytest.raises(InputError) as error:
        add_passages(addition(index, [Passage("new", "x"), again]))
    more = index.parent / "more.jsonl"
    assert (
        str(error.value)
        == f"{more}:2: passage 'p1' is in the index already: --replace puts the new one in its place"
    )
    opened = add_passages(addition(index, [Passage("new", "x"), again], replace=True))
    assert (opened["p1"], opened["new"], len(opened)) == (again, Passage("new", "x"), 7)


def test_a_mistake_leaves_the_index_as_it_was(index: Path, passages: list[Passage]) -> None:
    before = files(index)
    with pytest.raises(InputError) as error:
        remove_passages(index, ["p1", "none"])
    assert str(error.value) == f"{index}: no passage 'none' in this index"
    with pytest.raises(InputError, match="no passage would be left"):
        remove_passages(index, [f"p{number}" for number in range(6)])
    with pytest.raises(InputError, match="already"):
        add_passages(addition(index, [passages[8], passages[2]]))
    assert files(index) == before


def test_a_folder_that_is_no_index_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "segments" / "000001").mkdir(parents=True)
    for work in (compact_index, lambda index: remove_passages(index, ["p1"])):
        with pytest.raises(InputError, match="not an index folder"):
            work(tmp_path)
    with pytest.raises(InputError, match="no such index folder"):
        compact_index(tmp_path / "none")
    assert [each.name for each in tmp_path.rglob("*")] == ["segments", "000001"]


def test_of_two_writers_the_second_is_refused(index: Path) -> None:
    with FileLock(index / ".lock"), pytest.raises(InputError) as error:
        remove_passages(index, ["p1"])
    assert str(error.value) == f"{index}: another process is writing into this index: wait until it is done"


def test_shards_that_were_kept_are_not_in_the_way_of_an_addition(
    passages: list[Passage], model_folder: Path, tmp_path: Path
) -> None:
    index = build(tmp_path / "home", passages[:6], model_folder, keep_shards=True)
    kept = files(index / "shards")
    add_passages(addition(index, passages[6:]))
    assert len(kept) == 6  # two shards with their entries, the manifest, and a mark
    assert files(index / "shards") == kept
    assert not (index / "shards-added").exists()


def test_vectors_that_do_not_fit_into_one_file_go_on_in_the_next(
    index: Path, passages: list[Passage], model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retriever.index.recipes.FILE_BYTES", 4 * 4 * 32)  # four vectors
    parted = build(tmp_path / "parted", passages[:6], model_folder, bm25=True)
    assert [each.name for each in sorted((parted / "segments" / "000001").glob("vectors*"))] == [
        "vectors-0000.faiss",
        "vectors-0001.faiss",
    ]
    for each in (index, parted):
        add_passages(addition(each, passages[6:]))
        remove_passages(each, ["p1", "p5", "p8"])
    assert found(parted) == found(index)
    compact_index(parted)
    assert found(parted) == found(index)
    assert verified(parted)["passages"] == 7


@pytest.mark.parametrize("recipe", ["flat", "flat-fp16"])
def test_on_a_gpu_flat_vectors_are_compared_in_torch(
    passages: list[Passage], model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    index = build(tmp_path / "home", passages[:6], model_folder, recipe=recipe)
    add_passages(addition(index, passages[6:]))
    expected = found(index)
    monkeypatch.setattr("retriever.index.vectors.EXACT_ON", ("cpu",))
    monkeypatch.setattr("retriever.index.faiss_index.FaissIndex.search", None)
    same(found(index), expected)


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_a_change_while_the_model_is_loaded_does_not_matter(
    index: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    add_passages(addition(index, passages[6:]))
    expected, load = found(index, mode=mode), model_module.load_model

    def load_slowly(*args: object, **options: object) -> DualEncoder:
        remove_passages(index, ["p1"])
        compact_index(index)
        return load(*args, **options)

    monkeypatch.setattr(model_module, "load_model", load_slowly)
    assert found(index, mode=mode) == expected


@pytest.mark.parametrize(
    ("command", "holder", "name"),
    [
        ("verify", FaissIndex, "load"),
        ("verify", model_module, "load_model"),
        ("tune", FaissIndex, "load"),
        ("tune", model_module, "load_model"),
        ("map", FaissIndex, "load"),
        ("map who?", FaissIndex, "load"),
        ("map who?", model_module, "load_model"),
    ],
)
def test_compacting_while_vectors_are_opened_or_the_model_is_loaded_does_not_matter(
    index: Path,
    passages: list[Passage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    holder: object,
    name: str,
) -> None:
    called = getattr(holder, name)

    def too_late(*args: object, **options: object) -> object:
        monkeypatch.setattr(holder, name, called)
        add_passages(addition(index, passages[6:]))
        compact_index(index)
        return called(*args, **options)

    monkeypatch.setattr(holder, name, too_late)
    picture = ["--output", str(tmp_path / "map.png"), "--sample", "5"]
    verb, *question = command.split()
    flags = [verb, str(index), *question, *picture] if verb == "map" else ["index", verb, str(index)]
    assert main([*flags, "--device", "cpu"]) == 0, capsys.readouterr().err
    assert len(OpenIndex.open(index)) == len(passages)


def test_replacing_everything_leaves_nothing_to_search_in_the_first_segment(
    index: Path,
    passages: list[Passage],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_passages(addition(index, passages, replace=True))
    assert "6 of 16 rows" not in caplog.text
    remove_passages(index, [f"p{number}" for number in range(8)])
    assert "14 of 16 rows are of removed passages, which slows searching" in caplog.text
    asked = []
    search = FaissIndex.search
    monkeypatch.setattr(
        FaissIndex, "search", lambda self, queries, k: asked.append(len(self)) or search(self, queries, k)
    )
    assert [len(each) for each in found(index, k=10**9)] == [2, 2]
    assert set(asked) == {10}  # the second segment alone


def test_an_addition_that_was_given_up_is_not_in_the_way_of_another(
    index: Path, passages: list[Passage], caplog: pytest.LogCaptureFixture
) -> None:
    def give_up(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("retriever.index.writing.write_vectors", give_up)
        add_passages(addition(index, passages[6:]))
    assert (index / "shards-added" / "000000.npy").exists()
    opened = add_passages(addition(index, passages[7:]))
    assert list(opened)[6:] == ["p7", "p8", "p9"]
    assert "shards-added are deleted: they were made with 4 other passages, not these 3" in caplog.text


def test_a_cosine_that_cannot_be_is_said_so(
    index: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    search = FaissIndex.search
    for factor in (2.3, np.nan):

        def spoiled(
            self: FaissIndex, queries: np.ndarray, k: int, factor: float = factor
        ) -> tuple[np.ndarray, np.ndarray]:
            scores, rows = search(self, queries, k)
            return scores * factor, rows

        monkeypatch.setattr(FaissIndex, "search", spoiled)
        with pytest.raises(InputError, match="the index is damaged, ctl index verify tells where"):
            found(index)
    monkeypatch.setattr(FaissIndex, "search", search)
    add_passages(addition(index, passages[6:]))

    def spoiled_second(self: FaissIndex, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, rows = search(self, queries, k)
        return scores * (2.3 if len(self) == 4 else 1), rows

    monkeypatch.setattr(FaissIndex, "search", spoiled_second)
    with pytest.raises(InputError, match="the index is damaged, ctl index verify tells where"):
        found(index)


def test_a_damaged_index_is_not_compacted_into_a_whole_one(index: Path) -> None:
    remove_passages(index, ["p1"])
    file = index / "segments" / "000001" / "passages.arrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retriever.index.layout.check_files", lambda *args, **options: None)
        file.write_bytes(file.read_bytes().replace(b"cat", b"cut", 1))
        with pytest.raises(InputError, match=r"passages\.arrow: its content is not what was written"):
            compact_index(index)


@pytest.mark.parametrize("content", [b"generation-000001", b"\xff\xfe", b"../other 123", b""])
def test_a_damaged_pointer_or_manifest_is_said_so(index: Path, content: bytes) -> None:
    (index / "CURRENT").write_bytes(content)
    with pytest.raises(InputError, match=r"points to generation|its content is not what was written"):
        OpenIndex.open(index)


def test_a_manifest_that_was_changed_is_not_believed(index: Path) -> None:
    manifest = current_generation(index).manifest
    manifest.write_text(manifest.read_text().replace('"max_length": 32', '"max_length": 33'))
    with pytest.raises(InputError) as error:
        OpenIndex.open(index)
    assert (
        str(error.value)
        == f"{manifest}: its content is not what was written: the index is damaged, build it again"
    )


def test_who_opened_it_before_a_change_goes_on_with_what_was_there(index: Path) -> None:
    searcher = open_searcher(index, device="cpu", precision="fp32")
    opened = OpenIndex.open(index)
    before = searcher.search(QUESTIONS, 20)
    remove_passages(index, ["p1"])
    compact_index(index)
    assert searcher.search(QUESTIONS, 20) == before
    assert opened["p1"].id == "p1"


def test_another_model_cannot_add(index: Path, passages: list[Passage], plain_folder: Path) -> None:
    with pytest.raises(InputError):
        add_passages(addition(index, passages[6:], model=str(plain_folder)))


def test_ids_come_from_the_command_line_and_from_a_file_each_once(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("p2\np1\n\np3\n")
    config = IndexRemoveConfig(index=tmp_path, ids=("p1",), ids_file=tmp_path / "ids.txt")
    assert ids_to_remove(config) == {"p1": None, "p2": 1, "p3": 4}
    with pytest.raises(InputError, match="give the ids"):
        ids_to_remove(IndexRemoveConfig(index=tmp_path))


def test_an_unknown_id_is_told_with_its_line_in_the_file_or_as_one_of_the_command_line(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, file = files(index), tmp_path / "ids.txt"
    file.write_text("p2\n\nnone\nneither\nnone\n")
    command = ["index", "remove", str(index)]
    assert main([*command, "p1", "--ids-file", str(file)]) == 2
    assert capsys.readouterr().err == f"error: {file}:3: no passage 'none' in the index {index}\n"
    assert main([*command, "none", "--ids-file", str(file)]) == 2
    assert capsys.readouterr().err == f"error: {index}: no passage 'none' in this index\n"
    assert files(index) == before


# Kills. -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("change", ["add", "remove", "compact"])
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new(
    index: Path, passages: list[Passage], tmp_path: Path, change: str
) -> None:
    torch.set_num_threads(1)  # threads do not survive a fork
    remove_passages(index, ["p4"])
    config = addition(index, passages[6:])
    work = {
        "add": lambda: add_passages(config),
        "remove": lambda: remove_passages(index, ["p1"]),
        "compact": lambda: compact_index(index),
    }[change]
    old, start = found(index), tmp_path / "start"
    shutil.copytree(index, start)
    work()
    new, whole = found(index), files(index)
    assert change == "compact" or old != new
    states, call = set(), 0
    while True:
        call += 1
        shutil.rmtree(index)
        shutil.copytree(start, index)
        finished = killed_at(call, work)
        now = found(index)
        assert now in (old, new)
        states.add(now == old)
        if finished:
            break
        if (
            change != "compact" and now == old
        ):  # what was killed is done again, and ends as if it had not been
            work()
            assert files(index) == whole
    assert call > 15
    assert change == "compact" or states == {True, False}


@pytest.mark.slow
def test_a_build_killed_at_any_moment_is_no_index_or_a_whole_one(
    passages: list[Passage], model_folder: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    whole = files(build(tmp_path / "whole", passages, model_folder, bm25=True))
    finished, call = False, 0
    while not finished:
        call += 1
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        finished = killed_at(call, lambda: build(tmp_path / "home", passages, model_folder, bm25=True))
        output = tmp_path / "home" / "index"
        if (output / "CURRENT").exists():
            assert len(OpenIndex.open(output)) == len(passages)
        else:
            with pytest.raises(InputError):
                OpenIndex.open(output)
            assert files(build(tmp_path / "home", passages, model_folder, bm25=True)) == whole
    assert call > 40


@pytest.mark.slow
@pytest.mark.parametrize("what", ["encode", "build", "add", "compact"])
def test_sigkill_at_random_moments_leaves_the_old_state_or_the_new(
    index: Path, passages: list[Passage], model_folder: Path, tmp_path: Path, what: str
) -> None:
    """Twenty moments over the time that the whole takes: in the middle of a write, too, not only between calls."""
    torch.set_num_threads(1)  # threads do not survive a fork
    if what == "compact":
        add_passages(addition(index, passages[6:]))
    config, start, output = addition(index, passages[6:]), tmp_path / "start", tmp_path / "output"
    encoding = EncodeConfig(
        passages=write_passages(tmp_path / "all.jsonl", passages),
        model=str(model_folder),
        output=output / "vectors",
        shard_size=2,
        device="cpu",
        precision="fp32",
    )
    work, changed = {
        "encode": (lambda: encode_corpus(encoding), output),
        "build": (lambda: build(output, passages, model_folder, bm25=True), output),
        "add": (lambda: add_passages(config), index),
        "compact": (lambda: compact_index(index), index),
    }[what]
    output.mkdir()
    shutil.copytree(changed, start)
    old, segments = found(index), len(OpenIndex.open(index).segments)
    began = time.perf_counter()
    work()
    seconds, whole, new = time.perf_counter() - began, files(changed), found(index)
    generator, ended = random.Random(what), 0
    for moment in sorted(generator.uniform(0, 1.2 * seconds) for _ in range(20)):
        shutil.rmtree(changed)
        shutil.copytree(start, changed)
        ended += killed_after(moment, work)
        if what in ("add", "compact"):
            now, done = found(index), len(OpenIndex.open(index).segments) != segments
            assert now == (new if done else old)
            if done:
                continue  # what is added is there, and cannot be added again
        elif (output / "index" / "CURRENT").exists():
            assert len(OpenIndex.open(output / "index")) == len(passages)
            continue  # an index that is there is not built again
        work()
        assert files(changed) == whole
    assert ended < 20


@pytest.mark.slow
@pytest.mark.parametrize("largest", [0, 100, 1_000, 1_500, 2_000, 3_000])
@pytest.mark.parametrize("change", ["build", "add", "remove", "compact"])
def test_a_full_disk_ends_in_an_error_and_leaves_what_was_there(
    index: Path, passages: list[Passage], model_folder: Path, change: str, largest: int
) -> None:
    """Files cannot grow beyond some size: the write that would make one larger fails, as on a disk that is full."""
    torch.set_num_threads(1)
    config, before = addition(index, passages[6:]), found(index)
    work = {
        "build": lambda: build(index.parent / "other", passages, model_folder, bm25=True),
        "add": lambda: add_passages(config),
        "remove": lambda: remove_passages(index, ["p1"]),
        "compact": lambda: compact_index(index),
    }[change]
    remove_passages(index, ["p4"]) if change == "compact" else None
    before = found(index)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        try:
            work()
        except OSError as error:
            os._exit(7 if error.errno == errno.EFBIG else 8)
        except BaseException:
            os._exit(9)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert found(index) == before
    assert not (index.parent / "other" / "index" / "CURRENT").exists()


# Verifying. -------------------------------------------------------------------------------------------------------------


def verified(index: Path, **options: object) -> dict[str, float]:
    return verify_index(IndexVerifyConfig(index=index, device="cpu", **options))


def test_a_whole_index_is_verified(index: Path, passages: list[Passage]) -> None:
    add_passages(addition(index, passages[6:]))
    report = verified(index)
    assert (report["segments"], report["passages"], report["sampled"]) == (2, 10, 10)
    assert report["worst_cosine"] == pytest.approx(1, abs=1e-5)
    assert "sampled" not in verified(index, sample=0)


@pytest.mark.parametrize("place", [0, -1])
def test_a_flipped_byte_is_found_at_once_or_by_verify(
    index: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retriever.index.layout.HEAD_BYTES", 100)
    file = index / "segments" / "000001" / "vectors-0000.faiss"
    manifest = current_generation(index).manifest
    values = json.loads(manifest.read_text())
    import hashlib

    for segment in values["segments"]:
        for name, entry in segment["files"].items():
            content = (index / "segments" / segment["name"] / name).read_bytes()[:100]
            entry["head_sha256"] = hashlib.sha256(content).hexdigest()
    for name, entry in values["files"].items():
        entry["head_sha256"] = hashlib.sha256((manifest.parent / name).read_bytes()[:100]).hexdigest()
    manifest.write_text(json.dumps(values))
    switch_to(index, Generation(manifest.parent))
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))
    message = f"{file}: its content is not what was written: the index is damaged, build it again"
    if place == -1:
        assert read_manifest(index).count == 6  # opening reads the beginnings only
    else:
        with pytest.raises(InputError) as error:
            read_manifest(index)
        assert str(error.value) == message
    with pytest.raises(InputError) as error:
        verified(index, sample=0)
    assert str(error.value) == message


def test_vectors_of_other_passages_are_found(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = DualEncoder.encode_passages
    monkeypatch.setattr(DualEncoder, "encode_passages", lambda self, rows: encode(self, rows)[::-1].copy())
    said = r"segments/000001: the vector of passage 'p\d' is not the one that the model"
    with pytest.raises(InputError, match=said):
        verified(index)
    monkeypatch.setattr(DualEncoder, "encode_passages", lambda self, rows: encode(self, rows) * np.nan)
    with pytest.raises(InputError, match=said):
        verified(index)
