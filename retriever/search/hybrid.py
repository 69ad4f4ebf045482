"""A searcher that asks several searchers and fuses what they find."""

from collections.abc import Sequence

from retriever.protocols import Searcher
from retriever.records import Ranking
from retriever.search.fusion import reciprocal_rank_fusion


class HybridSearcher:
    """Reciprocal rank fusion of searchers over one corpus, BM25 and dense say.

    Args:
        searchers: at least one; at equal fused scores, what the earlier one found comes first.
        rrf_k: the constant of the fusion (60: Cormack et al. 2009).
        depth: hits asked of each searcher, or k where that is more.
    """

    def __init__(self, searchers: Sequence[Searcher], rrf_k: int = 60, depth: int = 1000) -> None:
        if not searchers:
            raise ValueError("a hybrid searcher needs at least one searcher")
        self._searchers, self._rrf_k, self._depth = tuple(searchers), rrf_k, depth

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking per query: the best k passages by fused score."""
        depth = max(self._depth, k)
        found = [searcher.search(queries, depth) for searcher in self._searchers]
        return [
            reciprocal_rank_fusion(rankings, k=self._rrf_k, depth=depth).head(k)
            for rankings in zip(*found, strict=True)
        ]
