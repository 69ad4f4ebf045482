from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retriever.errors import InputError
from retriever.lexical.postings import Postings


def postings_of(weights: np.ndarray) -> Postings:
    """Postings of a dense (terms, passages) matrix; NaN: the term is not in the passage."""
    rows, terms = np.nonzero(~np.isnan(weights.T))
    values = weights[terms, rows].astype(np.float32)
    return Postings.from_triples(terms.astype(np.int32), rows.astype(np.int32), values, weights.shape)


small_weights = st.sampled_from([np.nan, 0.5, 1.0, 2.0])


@given(
    weights=arrays(np.float64, (4, 30), elements=small_weights),
    signs=st.lists(st.sampled_from([1.0, 1.0, 0.0, -1.0]), min_size=4, max_size=4),
    terms=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    k=st.integers(1, 40),
)
def test_best_equals_a_full_sort(weights: np.ndarray, signs: list[float], terms: list[int], k: int) -> None:
    weights[:, 0] = 1.0  # every term is in a passage
    weights *= np.array(signs)[:, None]
    rows, scores = postings_of(weights).best(terms, k)
    totals = np.nansum(weights[terms], axis=0)  # multiples of 0.5: exact
    touched = [row for row in range(30) if not np.isnan(weights[terms, row]).all()]
    expected = sorted(touched, key=lambda row: (-totals[row], row))[:k]
    assert rows.tolist() == expected
    assert scores.tolist() == totals[expected].tolist()


def test_best_of_many_passages_keeps_the_lowest_rows_of_a_tie() -> None:
    weights = np.full((2, 5000), np.nan)
    weights[0] = 1.0
    weights[1, 4000:4500] = 1.0
    rows, scores = postings_of(weights).best([0, 1], 600)
    assert rows.tolist() == [*range(4000, 4500), *range(100)]
    assert scores.tolist() == [2.0] * 500 + [1.0] * 100


def test_saved_and_loaded_postings_are_equal(tmp_path: Path) -> None:
    postings = postings_of(np.array([[1.0, np.nan, 2.0], [np.nan, 3.0, 4.0]]))
    postings.save(tmp_path)
    loaded = Postings.load(tmp_path, (2, 3))
    assert loaded.starts.tolist() == [0, 2, 4]
    assert loaded.rows.tolist() == [0, 2, 1, 2]
    assert loaded.weights.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert [array.dtype.name for array in (loaded.starts, loaded.rows, loaded.weights)] == [
        "int64",
        "int32",
        "float32",
    ]


def test_damaged_arrays_are_refused(tmp_path: Path) -> None:
    postings_of(np.array([[1.0, 2.0]])).save(tmp_path)
    for spoil, message in [
        (lambda: None, f"{tmp_path}: the BM25 arrays do not fit together; build the index again"),
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
            Postings.load(tmp_path, (5, 2))
        assert str(error.value) == message
