"""The loops in NumPy and compiled, against each other; what they find is tested with the search."""

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.lexical import bm25, columns, kernel, search
from retriever.lexical.kernel import NUMPY, Kernel, WordsInBlock, compiled
from retriever.records import Passage


def fast() -> Kernel:
    pytest.importorskip("numba")
    found = compiled()
    assert found is not None
    return found


def made(seed: int, num_passages: int) -> WordsInBlock:
    """Six words: one that no passage holds, three without a column, two with one."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(rng.random(num_passages) < share).astype(np.int32) for share in (0.1, 0.5, 1)]
    ends = np.cumsum([0, *map(len, rows)])
    starts, stops = np.append(ends[:3], [0, 0, 0]), np.append(ends[1:], [0, 0, 0])
    postings, counts = np.concatenate(rows), rng.integers(1, 65_536, ends[-1]).astype(np.uint16)
    postings.flags.writeable = counts.flags.writeable = False
    levels = rng.integers(0, 256, (2, num_passages)).astype(np.uint8)
    column_counts = rng.integers(0, 65_536, (2, num_passages)).astype(np.uint16)
    return WordsInBlock(
        postings, counts, starts, stops, np.array([-1, -1, -1, -1, 1, 0]), levels, column_counts
    )


@settings(max_examples=60)
@given(
    seed=st.integers(0, 99),
    num_passages=st.sampled_from([1, 63, 64, 65, 5000]),
    words=st.lists(st.integers(0, 5), max_size=6, unique=True),
)
def test_both_give_the_same(seed: int, num_passages: int, words: list[int]) -> None:
    block, rng = made(seed, num_passages), np.random.default_rng(seed)
    asked, factors = np.array(words, np.int64), rng.random(len(words)).astype(np.float32)
    norms = rng.random(num_passages).astype(np.float32) + np.float32(0.1)
    bounds = {each: np.full(num_passages, np.nan, np.float32) for each in ("numpy", "numba")}
    NUMPY.bound(block, asked, factors, norms, bounds["numpy"])
    fast().bound(block, asked, factors, norms, bounds["numba"])
    np.testing.assert_allclose(bounds["numpy"], bounds["numba"], rtol=(len(words) + 8) * 2.0**-24)
    lowest = float(rng.choice(bounds["numpy"]))
    rows = NUMPY.reaching(bounds["numpy"], lowest)
    assert rows.tolist() == [row for row, bound in enumerate(bounds["numpy"]) if bound >= lowest]
    np.testing.assert_array_equal(rows, fast().reaching(bounds["numpy"], lowest), strict=True)
    counts = NUMPY.counts_of(block, asked, rows)
    np.testing.assert_array_equal(counts, fast().counts_of(block, asked, rows), strict=True)
    of_row = dict(
        zip(block.rows[block.starts[1] : block.stops[1]], block.counts[block.starts[1] :], strict=False)
    )
    if 1 in words:
        assert counts[words.index(1)].tolist() == [of_row.get(row, 0) for row in rows]


@pytest.mark.parametrize("frequent", [0, 3, 30])
def test_rankings_are_the_same_with_and_without_numba(frequent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(5)
    texts = [" ".join(f"w{word}" for word in rng.zipf(1.3, 40) % 300) for _ in range(3000)]
    monkeypatch.setattr(bm25, "SMALL", 0)
    monkeypatch.setattr(bm25, "PASSAGES_PER_BLOCK", 700)
    monkeypatch.setattr(columns, "FREQUENT", frequent)
    found = []
    for start in (10**18, 0):
        monkeypatch.setattr(search, "COMPILED_FROM", start)
        searcher = bm25.bm25_of([Passage(str(row), text) for row, text in enumerate(texts)])
        found.append(searcher.search(texts[:60], 20))
    assert found[0] == found[1]
    assert all(len(each) == 20 for each in found[0])


def test_it_is_compiled_only_when_there_is_much_to_search(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(search, "compiled", lambda: calls.append(1))
    monkeypatch.setattr(search, "COMPILED_FROM", 8)
    searcher = bm25.bm25_of([Passage("a", "oil"), Passage("b", "war")])
    for _ in range(3):
        assert searcher.search(["oil"], 1)[0].ids == ("a",)
    assert not calls
    assert searcher.search(["oil"], 1)[0].ids == ("a",)
    assert calls


def test_without_numba_there_is_nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *others: object) -> object:
        if name.startswith("numba"):
            raise ImportError("No module named 'numba'")
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    assert kernel.compiled.__wrapped__() is None
