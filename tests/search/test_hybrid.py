from collections.abc import Sequence

import pytest

from retriever.protocols import Searcher
from retriever.records import Ranking
from retriever.search.fusion import reciprocal_rank_fusion
from retriever.search.hybrid import HybridSearcher


class ListedSearcher:
    """Finds the same passages for every query, and remembers how many it was asked for."""

    def __init__(self, ids: str) -> None:
        self.ids, self.asked = ids, 0

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        self.asked = k
        return [Ranking(self.ids[:k], [-float(rank) for rank in range(len(self.ids[:k]))]) for _ in queries]


def test_hits_are_the_first_k_of_the_fused_rankings() -> None:
    first, second = ListedSearcher("abcdef"), ListedSearcher("fegh")
    hybrid: Searcher = HybridSearcher([first, second], rrf_k=50, depth=5)
    fused = reciprocal_rank_fusion([*first.search(["q"], 5), *second.search(["q"], 5)], k=50)
    assert hybrid.search(["q", "r"], 3) == [fused.head(3), fused.head(3)]
    assert fused.head(3).ids == ("e", "a", "f")


def test_searchers_are_asked_for_the_depth_or_for_k_where_that_is_more() -> None:
    first, second = ListedSearcher("ab"), ListedSearcher("bc")
    hybrid = HybridSearcher([first, second], depth=7)
    for k, asked in [(3, 7), (9, 9)]:
        assert len(hybrid.search(["q"], k)[0]) == 3
        assert (first.asked, second.asked) == (asked, asked)


def test_a_passage_beyond_the_depth_counts_when_k_reaches_it() -> None:
    hybrid = HybridSearcher([ListedSearcher("abc"), ListedSearcher("cba")], depth=1)
    assert hybrid.search(["q"], 1)[0].ids == ("a",)
    assert set(hybrid.search(["q"], 3)[0].ids) == set("abc")


def test_no_queries_give_no_rankings() -> None:
    assert HybridSearcher([ListedSearcher("ab")]).search([], 3) == []


def test_no_searchers_are_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one searcher"):
        HybridSearcher([])
