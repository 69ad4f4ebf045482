from collections.abc import Sequence

import pytest

from retriever.errors import InputError
from retriever.protocols import LexicalSearcher, Searcher
from retriever.records import Ranking
from retriever.search.fusion import FUSION, FusedRanking, Fusion, fuse
from retriever.search.hybrid import HybridSearcher, choose_fusion

RRF = Fusion("rrf", 1.0, depth=5, rrf_k=50)


class ListedSearcher:
    """Finds the same passages for every query, and remembers how many it was asked for."""

    def __init__(self, ids: str) -> None:
        self.ids, self.asked = ids, 0

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        self.asked = k
        return [Ranking(self.ids[:k], [-float(rank) for rank in range(len(self.ids[:k]))]) for _ in queries]

    def explain(self, query: str, passage_id: str) -> list[tuple[str, float]]:
        return [(query, float(len(passage_id)))]


def test_hits_are_the_first_k_of_the_fused_rankings() -> None:
    first, second = ListedSearcher("abcdef"), ListedSearcher("fegh")
    hybrid: Searcher = HybridSearcher(first, second, RRF)
    fused = fuse(*first.search(["q"], 5), *second.search(["q"], 5), RRF, 9)
    found = hybrid.search(["q", "r"], 3)
    assert found == [fused.head(3), fused.head(3)]
    assert fused.head(3).ids == ("e", "a", "f")
    assert isinstance(found[0], FusedRanking)
    assert found[0].parts_of(0) == {"dense": {"rank": 5, "score": -4.0}, "bm25": {"rank": 2, "score": -1.0}}


def test_searchers_are_asked_for_the_depth_or_for_k_where_that_is_more() -> None:
    first, second = ListedSearcher("ab"), ListedSearcher("bc")
    hybrid = HybridSearcher(first, second, Fusion("zscore", 1.0, depth=7))
    for k, asked in [(3, 7), (9, 9)]:
        assert len(hybrid.search(["q"], k)[0]) == 3
        assert (first.asked, second.asked) == (asked, asked)


def test_a_passage_beyond_the_depth_counts_when_k_reaches_it() -> None:
    hybrid = HybridSearcher(ListedSearcher("abc"), ListedSearcher("cba"), Fusion("rrf", 1.0, depth=1))
    assert hybrid.search(["q"], 1)[0].ids == ("a",)
    assert set(hybrid.search(["q"], 3)[0].ids) == set("abc")


def test_no_queries_give_no_rankings() -> None:
    assert HybridSearcher(ListedSearcher("ab"), ListedSearcher("ab")).search([], 3) == []


def test_the_words_of_a_hit_are_those_of_bm25() -> None:
    hybrid: LexicalSearcher = HybridSearcher(ListedSearcher("ab"), ListedSearcher("ab"))
    assert hybrid.explain("q", "abc") == [("q", 3.0)]


STORED = {"method": "rrf", "weight": 2.0, "depth": 300, "rrf_k": 10, "metric": "mrr@10", "value": 0.5}


def test_what_was_asked_for_beats_what_the_index_was_tuned_to_and_that_the_default() -> None:
    assert choose_fusion(None, {}) == FUSION
    assert choose_fusion(STORED, {}) == Fusion("rrf", 2.0, 300, 10)
    assert choose_fusion(STORED, {"weight": 3.0}) == Fusion("rrf", 3.0, 300, 10)
    assert choose_fusion(STORED, {"method": "rrf", "depth": 50}) == Fusion("rrf", 2.0, 50, 10)


def test_another_method_does_not_take_over_the_weight_that_was_tuned() -> None:
    assert choose_fusion(STORED, {"method": "minmax"}) == Fusion("minmax", 1.4, 300, 10)


def test_raw_scores_need_a_weight() -> None:
    assert choose_fusion(None, {"method": "weighted", "weight": 1.1}).weight == 1.1
    with pytest.raises(InputError) as error:
        choose_fusion(None, {"method": "weighted"})
    assert str(error.value) == (
        "fusion weighted adds scores as they are, and how much a dense one counts depends on the model: give --fusion-weight, "
        "or let ctl tune-fusion find it"
    )


def test_a_setting_of_rank_fusion_is_refused_by_another() -> None:
    with pytest.raises(InputError) as error:
        choose_fusion(None, {"rrf_k": 20})
    assert str(error.value) == "rrf_k is of fusion rrf, and the fusion is zscore"
