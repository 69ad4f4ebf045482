import random
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retriever.choices import FusionMethod
from retriever.records import Ranking
from retriever.search.fusion import METHODS, WEIGHTS, Candidates, FusedRanking, Fusion, fuse

IDS = "abcdefgh"
RRF = Fusion("rrf", 1.0)


def ranking_of(ids: str) -> Ranking:
    return Ranking(tuple(ids), [-float(rank) for rank in range(len(ids))])


def ranked(scores: NDArray[np.float64], depth: int) -> Ranking:
    """The best of all scores; NaN is not found."""
    order = np.argsort(-scores, kind="stable")  # NaN last
    order = order[~np.isnan(scores[order])][:depth]
    return Ranking([IDS[row] for row in order], scores[order])


lists = st.tuples(st.permutations(IDS), st.integers(0, len(IDS))).map(
    lambda drawn: ranking_of("".join(drawn[0][: drawn[1]]))
)
weights = st.sampled_from([0.25, 1.0, 3.0])
dense_scores = st.lists(st.integers(-4, 8).map(float), min_size=8, max_size=8).map(np.array)
bm25_scores = st.lists(st.one_of(st.just(np.nan), st.integers(1, 30).map(float)), min_size=8, max_size=8).map(
    np.array
)


def test_ranks_by_hand() -> None:
    fused = fuse(ranking_of("abc"), ranking_of("bd"), RRF, 10)
    assert fused.ids == ("b", "a", "d", "c")
    assert fused.scores.tolist() == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63], abs=1e-15)


def test_k_decides_how_much_the_first_rank_counts() -> None:
    pair = ranking_of("ab"), ranking_of("cb")
    assert fuse(*pair, Fusion("rrf", 1.0, rrf_k=0), 9).ids == ("a", "b", "c")  # 1, 1/2 + 1/2, 1: a tie
    assert fuse(*pair, RRF, 9).ids == ("b", "a", "c")


def test_scores_on_one_scale_by_hand() -> None:
    dense, bm25 = Ranking("ab", [0.8, 0.4]), Ranking("bc", [30.0, 10.0])
    # c, which dense search did not find, is as good as the last that it found; a has no word of the question: 0
    assert dict(fuse_all(dense, bm25, "minmax")) == pytest.approx({"a": 2.0, "b": 1.0, "c": 1 / 3})
    filled = np.array([0.8, 0.4, 0.4]), np.array([0.0, 30.0, 10.0])
    by_hand = 2 * (filled[0] - filled[0].mean()) / filled[0].std()
    by_hand += (filled[1] - filled[1].mean()) / filled[1].std()
    assert dict(fuse_all(dense, bm25, "zscore")) == pytest.approx(dict(zip("abc", by_hand, strict=True)))
    assert dict(fuse_all(dense, bm25, "weighted")) == pytest.approx({"a": 1.6, "b": 30.8, "c": 10.8})


def fuse_all(dense: Ranking, bm25: Ranking, method: FusionMethod) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in fuse(dense, bm25, Fusion(method, 2.0), 9)]


def test_what_a_full_list_lacks_has_its_lowest_score_and_what_a_short_one_lacks_has_none() -> None:
    dense = Ranking("abc", [3.0, 2.0, 1.0])
    for depth, missing in [(2, 5.0), (3, 0.0)]:
        found = Candidates(dense, Ranking("bx", [9.0, 5.0]), depth)
        assert found.scores()[1][found.ids.index("a")] == missing
    below_0 = Candidates(dense, Ranking("b", [-1.0]), 3)  # okapi, of a word that most passages hold
    assert below_0.scores()[1].tolist() == [-1.0, -1.0, -1.0]


def test_a_hit_knows_rank_and_score_of_both_sides() -> None:
    fused = fuse(Ranking("ab", [0.8, 0.4]), Ranking("bc", [30.0, 10.0]), RRF, 9)
    at = {hit.id: fused.parts_of(place) for place, hit in enumerate(fused)}
    assert at == {
        "a": {"dense": {"rank": 1, "score": 0.8}, "bm25": None},
        "b": {"dense": {"rank": 2, "score": 0.4}, "bm25": {"rank": 1, "score": 30.0}},
        "c": {"dense": None, "bm25": {"rank": 2, "score": 10.0}},
    }
    assert fused.head(1).ids == fused.ids[:1]
    assert fused.head(1).parts_of(0) == fused.parts_of(0)


def test_only_the_first_hits_of_each_side_count() -> None:
    fused = fuse(ranking_of("abc"), ranking_of("cba"), Fusion("rrf", 1.0, depth=1), 9)
    assert fused == Ranking(["a", "c"], [1 / 61, 1 / 61])


@pytest.mark.parametrize("method", METHODS)
def test_equal_scores_rank_in_the_order_of_the_dense_side_and_then_of_bm25(method: FusionMethod) -> None:
    level = Ranking("xb", [1.0, 1.0]), Ranking("ay", [1.0, 1.0])
    fused = fuse(*level, Fusion(method, 1.0, depth=2), 9)
    expected = {"rrf": ("x", "a", "b", "y")}
    assert fused.ids == expected.get(method, ("x", "b", "a", "y"))


@pytest.mark.parametrize("method", METHODS)
def test_equal_scores_of_one_side_leave_the_order_to_the_other(method: FusionMethod) -> None:
    third = 1 / 3  # whose mean is not exactly itself
    dense = Ranking("abcdefg", [third] * 7)
    bm25 = Ranking("gfedcba", np.arange(7.0)[::-1] + 1)
    assert fuse(dense, bm25, Fusion(method, 0.001, depth=7), 9).ids == bm25.ids


@pytest.mark.parametrize("method", METHODS)
def test_sides_that_found_nothing_leave_the_ranking_to_the_other(method: FusionMethod) -> None:
    fusion, nothing = Fusion(method, 1.0), ranking_of("")
    assert fuse(ranking_of("abc"), nothing, fusion, 9).ids == ("a", "b", "c")
    assert fuse(nothing, ranking_of("abc"), fusion, 9).ids == ("a", "b", "c")
    empty = fuse(nothing, nothing, fusion, 9)
    assert (empty.ids, isinstance(empty, FusedRanking)) == ((), True)


@given(lists, lists, st.integers(0, 100), st.integers(1, 10), weights)
def test_rank_fusion_equals_the_formula_in_fractions(
    dense: Ranking, bm25: Ranking, k: int, depth: int, weight: float
) -> None:
    fused = fuse(dense, bm25, Fusion("rrf", weight, depth, k), 100)
    expected: dict[str, Fraction] = {}
    for each, factor in [(dense, Fraction(weight)), (bm25, Fraction(1))]:
        for rank, hit in enumerate(list(each)[:depth], start=1):
            expected[hit.id] = expected.get(hit.id, Fraction(0)) + factor / (k + rank)
    assert dict(zip(fused.ids, fused.scores.tolist(), strict=True)) == pytest.approx(
        {id: float(score) for id, score in expected.items()}
    )


def whole(
    method: FusionMethod, dense: NDArray[np.float64], bm25: NDArray[np.float64], weight: float
) -> list[str]:
    """The fused order of a whole corpus by all of its scores, one passage after the other."""
    sides = []
    for scores in (dense, np.nan_to_num(bm25, nan=0.0)):
        values = scores.tolist()
        if method == "weighted":
            zero, unit = 0.0, 1.0
        elif method == "minmax":
            zero, unit = min(values), max(values) - min(values)
        else:
            zero = sum(values) / len(values)
            unit = (sum((each - zero) ** 2 for each in values) / len(values)) ** 0.5
        level = len(set(values)) == 1 and method != "weighted"
        sides.append([0.0 if level else (each - zero) / unit for each in values])
    fused = [weight * a + b for a, b in zip(*sides, strict=True)]
    order = np.argsort(-dense, kind="stable")
    return [IDS[row] for row in sorted(order, key=lambda row: -round(fused[row], 9))]


@given(dense_scores, bm25_scores, weights, st.sampled_from(["zscore", "minmax", "weighted"]))
def test_with_the_depth_of_the_corpus_fusion_is_that_of_all_scores(
    dense: NDArray[np.float64], bm25: NDArray[np.float64], weight: float, method: FusionMethod
) -> None:
    fused = fuse(ranked(dense, 9), ranked(bm25, 9), Fusion(method, weight, 9), 9)
    rounded = sorted(fused, key=lambda hit: (-round(hit.score, 9), ranked(dense, 9).ids.index(hit.id)))
    assert [hit.id for hit in rounded] == whole(method, dense, bm25, weight)


@given(dense_scores, bm25_scores, weights, st.integers(1, 8), st.sampled_from(sorted(METHODS)))
def test_a_lesser_k_gives_the_head_and_no_hit_is_invented(
    dense: NDArray[np.float64], bm25: NDArray[np.float64], weight: float, depth: int, method: FusionMethod
) -> None:
    sides = ranked(dense, depth), ranked(bm25, depth)
    fusion = Fusion(method, weight, depth)
    fused = fuse(*sides, fusion, 100)
    assert set(fused.ids) == set(sides[0].ids) | set(sides[1].ids)
    assert fuse(*sides, fusion, 3) == fused.head(3)
    for side, ranking in zip(("dense", "bm25"), sides, strict=True):
        part = fused.parts[side]
        found = {fused.ids[row]: int(part.ranks[row]) for row in np.flatnonzero(part.ranks)}
        assert found == {id: rank for rank, id in enumerate(ranking.ids, start=1)}


@given(dense_scores, bm25_scores, st.sampled_from([0.5, 4.0]), st.sampled_from([-8.0, 16.0]))
def test_normalised_fusion_does_not_depend_on_the_scale_of_a_model(
    dense: NDArray[np.float64], bm25: NDArray[np.float64], factor: float, shift: float
) -> None:
    for method in ("zscore", "minmax"):
        fusion = Fusion(method, 1.0, 9)  # type: ignore[arg-type]
        first = fuse(ranked(dense, 9), ranked(bm25, 9), fusion, 9)
        second = fuse(ranked(factor * dense + shift, 9), ranked(bm25, 9), fusion, 9)
        assert {hit.id: hit.score for hit in first} == pytest.approx({hit.id: hit.score for hit in second})


def test_the_order_of_candidates_is_no_accident_of_hashing() -> None:
    generator = random.Random(0)
    ids = [str(generator.random()) for _ in range(500)]
    dense, bm25 = Ranking(ids, np.zeros(500)), Ranking(ids[::-1], np.zeros(500))
    assert fuse(dense, bm25, Fusion("zscore", 1.0), 500).ids == tuple(ids)


@pytest.mark.parametrize("bad", [{"weight": 0.0}, {"depth": 0}, {"rrf_k": -1}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weight must be above 0, depth at least 1 and rrf_k at least 0"):
        Fusion(**{"method": "rrf", "weight": 1.0, **bad})


def test_candidates_of_another_depth_are_refused() -> None:
    with pytest.raises(ValueError, match="candidates of depth 5, fusion of depth 1000"):
        Candidates(ranking_of("a"), ranking_of("a"), 5).fused(RRF, 1)


def test_every_method_has_a_function_and_a_weight():
    assert set(METHODS) == set(WEIGHTS) == set(get_args(FusionMethod))
