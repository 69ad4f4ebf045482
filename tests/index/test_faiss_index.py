from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.errors import InputError
from retriever.index.faiss_index import FaissIndex


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)


def filled(count: int) -> FaissIndex:
    index = FaissIndex(16)
    index.add(vectors(count))
    return index


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_flat_search_is_brute_force(batch: int) -> None:
    queries, corpus = vectors(batch, seed=1), vectors(300)
    scores, rows = filled(300).search(queries, 10)
    expected = queries @ corpus.T
    np.testing.assert_array_equal(rows, np.argsort(-expected, axis=1, kind="stable")[:, :10])
    np.testing.assert_allclose(scores, np.take_along_axis(expected, rows, 1), rtol=1e-5)


def test_more_than_there_is_gives_what_there_is() -> None:
    scores, rows = filled(3).search(vectors(1), 50)
    assert scores.shape == (1, 3)
    assert sorted(rows[0]) == [0, 1, 2]


def test_an_empty_index_finds_nothing() -> None:
    assert FaissIndex(16).search(vectors(2), 5)[1].shape == (2, 0)


def test_equal_scores_come_in_the_order_of_adding() -> None:
    index = FaissIndex(16)
    index.add(np.repeat(vectors(1), 3, axis=0))
    assert index.search(vectors(1), 3)[1].tolist() == [[0, 1, 2]]


@settings(max_examples=60)
@given(
    count=st.integers(1, 300), k=st.integers(1, 60), seed=st.integers(0, 99), batch=st.sampled_from([1, 5, 40]),
    factory=st.sampled_from(["Flat", "SQfp16"]), cut_at=st.integers(0, 299),
)  # fmt: skip
def test_equal_scores_are_taken_by_the_lower_row_where_every_vector_is_compared(
    count: int, k: int, seed: int, batch: int, factory: str, cut_at: int
) -> None:
    generator = np.random.default_rng(seed)
    corpus = generator.integers(-1, 2, (count, 16)).astype(np.float32)  # few different scores
    queries = generator.integers(-1, 2, (batch, 16)).astype(np.float32)
    with TemporaryDirectory() as folder:
        files = []
        for part in (corpus[:cut_at], corpus[cut_at:]):
            if len(part):
                index = FaissIndex(16, factory)
                index.train(part)
                index.add(part)
                files.append(Path(folder) / str(len(files)))
                index.save(files[-1])
        scores, rows = FaissIndex.load(files, count).search(queries, k)
    expected = np.argsort(-(queries @ corpus.T), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(scores, np.take_along_axis(queries @ corpus.T, expected, 1))


@pytest.mark.parametrize("k", [10, 39, 60])
@pytest.mark.parametrize("batch", [1, 11, 12, 64])
def test_equal_vectors_have_equal_scores_however_many_questions_are_asked(k: int, batch: int) -> None:
    generator = np.random.default_rng(0)
    corpus = generator.standard_normal((4100, 384)).astype(np.float32)  # more than one tile of FAISS
    corpus /= np.linalg.norm(corpus, axis=1, keepdims=True)
    copies = np.sort(generator.choice(len(corpus), 40, replace=False))
    corpus[copies] = corpus[copies[0]]
    queries = corpus[copies[0]] + 0.01 * generator.standard_normal((batch, 384)).astype(np.float32)
    index = FaissIndex(384)
    index.add(corpus)
    scores, rows = index.search(queries, k)
    assert (rows[:, :40] == copies[:k]).all()
    alone = [index.search(each[None], k) for each in queries]
    np.testing.assert_array_equal(scores, np.concatenate([each for each, _ in alone]))
    np.testing.assert_array_equal(rows, np.concatenate([each for _, each in alone]))


@pytest.mark.parametrize(
    "factory", ["IVF4,Flat", "IVF4,SQ8", "IVF4,PQ8x4fs,Refine(SQfp16)", "IVF4,RaBitQ,Refine(SQ8)"]
)
@pytest.mark.parametrize("files", [1, 2])
def test_where_the_lists_hold_too_few_more_are_looked_into(factory: str, files: int, tmp_path: Path) -> None:
    corpus, paths = vectors(200), [tmp_path / str(number) for number in range(files)]
    index = FaissIndex(16, factory)
    index.train(corpus)
    index.save(tmp_path / "trained")
    for path, part in zip(paths, np.split(corpus, files), strict=True):
        index = FaissIndex.load_empty(tmp_path / "trained")
        index.add(part)
        index.save(path)
    index = FaissIndex.load(paths, 200)
    index.set_search({"nprobe": 1})
    few, _ = index.search(vectors(3, seed=1), 1)
    scores, rows = index.search(vectors(3, seed=1), 200)
    assert all(sorted(each) == list(range(200)) for each in rows)
    assert (np.diff(scores) <= 0).all()
    assert index.search(vectors(3, seed=1), 1)[0].tolist() == few.tolist()  # the setting is as it was


def test_saved_and_loaded_it_finds_the_same_and_is_not_added_to(tmp_path: Path) -> None:
    file = tmp_path / "vectors.faiss"
    index = filled(50)
    index.save(file)
    again = FaissIndex.load([file], 50)
    for found, expected in zip(again.search(vectors(4, 2), 5), index.search(vectors(4, 2), 5), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again.vectors(10, 5), vectors(50)[10:15])
    with pytest.raises(ValueError, match="opened from a file"):  # FAISS would end the process
        again.add(vectors(1))


@pytest.mark.parametrize("factory", ["Flat", "SQfp16", "IVF4,Flat", "HNSW8"])
def test_several_files_are_one_index(factory: str, tmp_path: Path) -> None:
    corpus, queries, files = vectors(90), vectors(7, seed=1), []
    whole = FaissIndex(16, factory)
    whole.train(corpus)
    whole.save(tmp_path / "trained")
    whole.add(corpus)
    for number, part in enumerate(np.split(corpus, [40, 41])):
        index = FaissIndex.load_empty(tmp_path / "trained")
        index.add(part)
        files.append(tmp_path / str(number))
        index.save(files[-1])
    joined = FaissIndex.load(files, 90)
    settings = {"nprobe": 4} if whole.lists else {"efSearch": 200} if factory == "HNSW8" else {}
    for each in (whole, joined):
        each.set_search(settings)
    (scores, rows), (expected, rows_expected) = joined.search(queries, 60), whole.search(queries, 60)
    np.testing.assert_array_equal(rows, rows_expected)
    # a graph is walked by four vectors at a time or by one, and CPUs without AVX-512 add those up in another order
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6 if factory == "HNSW8" else 0)
    np.testing.assert_array_equal(joined.vectors(30, 20), whole.vectors(30, 20))
    assert joined.lists == whole.lists
    with pytest.raises(ValueError, match="opened from a file"):
        joined.add(corpus)
    with pytest.raises(InputError, match=r"0: holds 90 vectors for 91 passages"):
        FaissIndex.load(files, 91)
    with pytest.raises(InputError, match=r"1: holds 1 vectors, expected none"):
        FaissIndex.load_empty(files[1])
    views = joined.views()
    if factory in ("Flat", "SQfp16"):
        assert [len(each) for each in views] == [40, 1, 49]
        assert views[0].dtype == (np.float32 if factory == "Flat" else np.float16)
        np.testing.assert_array_equal(np.concatenate(views).astype(np.float32), joined.vectors(0, 90))
    else:
        assert views is None


def test_what_faiss_would_accept_in_silence_is_refused() -> None:
    index = filled(3)
    with pytest.raises(ValueError, match="not finite"):
        index.add(np.full((1, 16), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match=r"vectors \(1, 8\), expected \(n, 16\)"):
        index.add(vectors(1)[:, :8])
    with pytest.raises(ValueError, match=r"queries \(1, 8\), expected \(Q, 16\)"):
        index.search(vectors(1)[:, :8], 1)


def test_a_damaged_file_or_one_of_other_passages_is_an_input_error(tmp_path: Path) -> None:
    file = tmp_path / "vectors.faiss"
    filled(3).save(file)
    with pytest.raises(InputError, match="holds 3 vectors for 2 passages"):
        FaissIndex.load([file], 2)
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match="cannot be read as a FAISS index"):
        FaissIndex.load([file], 3)
