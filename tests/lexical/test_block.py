"""Word counts in arrays."""

from collections import Counter as Count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.hashes import hashes_of
from retriever.errors import InputError
from retriever.lexical.block import Block, BlockCounter

passages = st.lists(st.lists(st.sampled_from(["oil", "price", "war", "é", ""]), max_size=9), max_size=9)


def block_of(words: list[list[str]]) -> Block:
    counter = BlockCounter()
    for each in words:
        counter.add(each)
    return counter.block()


@given(words=passages, gone=st.sets(st.integers(0, 8)))
def test_a_block_has_what_a_dictionary_counts(words: list[list[str]], gone: set[int]) -> None:
    block = block_of(words)
    assert len(block) == len(words)
    assert block.lengths.tolist() == list(map(len, words))
    vocabulary = sorted({word for each in words for word in each})
    assert sorted(hashes_of(vocabulary).tolist()) == block.words.tolist()
    left = np.array(sorted(row for row in gone if row < len(words)), np.int64)
    frequencies = block.frequencies(left)
    for word, place in zip(vocabulary, block.places(hashes_of(vocabulary)), strict=True):
        span = block.postings(place)
        expected = [(row, Count(each)[word]) for row, each in enumerate(words) if word in each]
        assert list(zip(block.rows[span].tolist(), block.counts[span].tolist(), strict=True)) == expected
        assert frequencies[place] == sum(row not in gone for row, _ in expected)
    assert block.places(hashes_of(["unknown"])).tolist() == [-1]


def test_a_word_that_is_there_too_often_is_counted_as_often_as_can_be() -> None:
    assert block_of([["oil"] * 70_000]).counts.tolist() == [65_535]


def test_two_words_of_one_hash_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "retriever.lexical.block.hashes_of", lambda words: np.zeros(len(list(words)), np.uint64)
    )
    with pytest.raises(ValueError, match="two words have the same 64-bit hash"):
        block_of([["oil", "war"]])


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    block = block_of([["oil", "war", "oil"], [], ["war"]])
    block.save(tmp_path)
    loaded = Block.load(tmp_path)
    for name in Block.__slots__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(block, name))
        assert getattr(loaded, name).dtype == getattr(block, name).dtype


def test_damaged_arrays_are_refused(tmp_path: Path) -> None:
    block_of([["oil"], ["oil"]]).save(tmp_path)
    for spoil, message in [
        (
            lambda: np.save(tmp_path / "rows.npy", np.zeros(1, np.int32)),
            f"{tmp_path}: the BM25 arrays do not fit together: build the index again",
        ),
        (
            lambda: (tmp_path / "rows.npy").write_bytes(b"rows"),
            f"{tmp_path / 'rows.npy'}: not a NumPy array file",
        ),
        (
            lambda: np.save(tmp_path / "rows.npy", np.zeros((2, 2))),
            f"{tmp_path / 'rows.npy'}: expected a one-dimensional int32 array, found float64(2, 2)",
        ),
        (lambda: (tmp_path / "starts.npy").unlink(), f"{tmp_path / 'starts.npy'}: no such file"),
    ]:
        spoil()
        with pytest.raises(InputError) as error:
            Block.load(tmp_path)
        assert str(error.value) == message
