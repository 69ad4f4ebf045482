import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.records import Ranking
from retriever.search.fusion import reciprocal_rank_fusion


def ranking_of(*ids: str) -> Ranking:
    return Ranking(ids, [-float(rank) for rank in range(len(ids))])


rankings = st.lists(
    st.permutations("abcdefgh").map(lambda ids: ranking_of(*ids[: 1 + ord(ids[0]) % 8])), max_size=5
)


def test_scores_by_hand() -> None:
    fused = reciprocal_rank_fusion([ranking_of("a", "b", "c"), ranking_of("b", "d")])
    assert fused.ids == ("b", "a", "d", "c")
    assert fused.scores.tolist() == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63], abs=1e-15)


def test_k_decides_how_much_the_first_rank_counts() -> None:
    pair = [ranking_of("a", "b"), ranking_of("c", "b")]
    assert reciprocal_rank_fusion(pair, k=0).ids == ("a", "b", "c")  # 1, 1/2 + 1/2, 1: a tie
    assert reciprocal_rank_fusion(pair, k=60).ids == ("b", "a", "c")


def test_only_the_first_hits_of_each_ranking_count() -> None:
    fused = reciprocal_rank_fusion([ranking_of("a", "b", "c"), ranking_of("c", "b", "a")], depth=1)
    assert fused == Ranking(["a", "c"], [1 / 61, 1 / 61])


def test_equal_scores_rank_as_first_met() -> None:
    assert reciprocal_rank_fusion([ranking_of("x", "b"), ranking_of("a", "y")]).ids == ("x", "a", "b", "y")


def test_nothing_fused_is_an_empty_ranking() -> None:
    assert len(reciprocal_rank_fusion([])) == len(reciprocal_rank_fusion([ranking_of()])) == 0


@given(rankings, st.integers(0, 100), st.integers(1, 10))
def test_scores_equal_the_formula_in_fractions(lists: list[Ranking], k: int, depth: int) -> None:
    fused = reciprocal_rank_fusion(lists, k=k, depth=depth)
    expected: dict[str, Fraction] = {}
    for each in lists:
        for rank, hit in enumerate(list(each)[:depth]):
            expected[hit.id] = expected.get(hit.id, Fraction(0)) + Fraction(1, k + 1 + rank)
    assert {hit.id: hit.score for hit in fused} == pytest.approx(
        {id: float(score) for id, score in expected.items()}
    )


@given(rankings, st.randoms(use_true_random=False))
def test_the_order_of_the_rankings_changes_no_score(lists: list[Ranking], shuffler: random.Random) -> None:
    shuffled = list(lists)
    shuffler.shuffle(shuffled)
    first, second = reciprocal_rank_fusion(lists), reciprocal_rank_fusion(shuffled)
    assert {hit.id: hit.score for hit in first} == {hit.id: hit.score for hit in second}


@given(st.permutations("abcdefgh"))
def test_one_ranking_keeps_its_order(ids: list[str]) -> None:
    assert reciprocal_rank_fusion([ranking_of(*ids)]).ids == tuple(ids)


def test_bad_constants_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 0 and depth at least 1, got k=-1, depth=1000"):
        reciprocal_rank_fusion([], k=-1)
