"""Searching over segments and around what was removed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retriever.index.faiss_index import NOTHING
from retriever.index.vectors import search_live


class Scored:
    """As many rows as scores; every query finds them by score."""

    def __init__(self, scores: list[float], *, finds: int | None = None) -> None:
        self.scores, self.finds, self.asked = np.array(scores, np.float32), finds, []

    def __len__(self) -> int:
        return len(self.scores)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(k)
        order = np.argsort(-self.scores, kind="stable")[:k]
        scores = self.scores[order]
        if self.finds is not None:
            order = np.where(np.arange(k) < self.finds, order, NOTHING)
            scores = np.where(order == NOTHING, -np.inf, scores)
        return np.tile(scores, (len(queries), 1)), np.tile(order, (len(queries), 1))


@given(
    scores=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    removed=st.sets(st.integers(0, 59)),
    k=st.integers(1, 70),
)
def test_what_was_removed_is_never_found_and_everything_else_is(scores, removed, k) -> None:
    vectors = Scored(scores)
    gone = np.array(sorted(removed), np.int64)
    found_scores, rows = search_live(
        vectors, np.zeros((2, 4), np.float32), k, lambda rows: np.isin(rows, gone)
    )
    live = [row for row in range(len(scores)) if row not in removed]
    expected = sorted(live, key=lambda row: (-scores[row], row))[:k]
    for own_scores, own in zip(found_scores, rows, strict=True):
        assert len(own) == k
        assert own[own != NOTHING].tolist() == expected
        assert own_scores[own != NOTHING].tolist() == [scores[row] for row in expected]


def test_no_more_is_asked_for_than_is_needed() -> None:
    vectors = Scored(list(range(1000, 0, -1)))
    search_live(vectors, np.zeros((1, 4), np.float32), 10, lambda rows: rows < 5)
    assert vectors.asked == [10, 25]


class OneFindsLess(Scored):
    """As ``Scored``, but the first query finds three."""

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, rows = super().search(queries, k)
        scores[0, 3:], rows[0, 3:] = -np.inf, NOTHING
        return scores, rows


def test_a_query_that_finds_no_more_does_not_drive_the_others_on() -> None:
    vectors = OneFindsLess(list(range(1000, 0, -1)))
    _, rows = search_live(vectors, np.zeros((5, 4), np.float32), 10, lambda rows: rows == NOTHING)
    assert vectors.asked == [10]
    assert (rows[0] != NOTHING).sum() == 3
    assert rows[1].tolist() == list(range(10))


def test_an_approximate_index_that_finds_no_more_ends_the_search() -> None:
    vectors = Scored([3.0, 2.0, 1.0, 0.5, 0.2], finds=2)
    _, rows = search_live(
        vectors, np.zeros((1, 4), np.float32), 4, lambda rows: (rows == 0) | (rows == NOTHING)
    )
    assert rows.tolist() == [[1, NOTHING, NOTHING, NOTHING]]
    assert vectors.asked == [4]
