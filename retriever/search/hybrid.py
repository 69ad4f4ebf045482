"""A searcher that asks a dense searcher and BM25, and fuses what they find."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from retriever.errors import InputError
from retriever.protocols import LexicalSearcher, Searcher
from retriever.records import Ranking
from retriever.search.fusion import FUSION, WEIGHTS, Fusion, fuse

logger = logging.getLogger(__name__)


class HybridSearcher:
    """Fuses a dense ranking and BM25's, question by question; the rankings are ``FusedRanking``.

    Args:
        dense: searches the vectors.
        bm25: searches the words of the same passages.
        fusion: how two rankings become one; each side is asked for its depth, or for k where that is more.
    """

    def __init__(self, dense: Searcher, bm25: LexicalSearcher, fusion: Fusion = FUSION) -> None:
        self.dense, self.bm25, self.fusion = dense, bm25, fusion
        self._told = False

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking per query: the best k passages by fused score. The first search tells how they are fused."""
        if not self._told:
            logger.info("hybrid search: %s", self.fusion.describe())
            self._told = True
        fusion = replace(self.fusion, depth=max(self.fusion.depth, k))
        found = zip(
            self.dense.search(queries, fusion.depth), self.bm25.search(queries, fusion.depth), strict=True
        )
        return [fuse(dense, bm25, fusion, k) for dense, bm25 in found]

    def explain(self, query: str, passage_id: str) -> list[tuple[str, float]]:
        """The words that made BM25's part of a hit, with what each added, largest first."""
        return self.bm25.explain(query, passage_id)


def choose_fusion(stored: Mapping[str, Any] | None, given: Mapping[str, Any]) -> Fusion:
    """What was asked for, over what the index was tuned to, over the default.

    Args:
        stored: of the index's manifest; None: it was not tuned.
        given: attribute of ``Fusion`` → value that the user gave. Another method leaves the stored weight out, which is of another scale.

    Raises:
        InputError: raw scores are to be added, and nothing says how much a dense one counts.
    """
    tuned = {} if stored is None else {each.name: stored[each.name] for each in fields(Fusion)}
    base = {**FUSION.to_json(), **tuned}
    if given.get("method", base["method"]) != base["method"]:
        base["weight"] = WEIGHTS[given["method"]]
    chosen = {**base, **given}
    if "rrf_k" in given and chosen["method"] != "rrf":
        raise InputError(f"rrf_k is of fusion rrf, and the fusion is {chosen['method']}")
    if chosen["weight"] is None:
        raise InputError(
            "fusion weighted adds scores as they are, and how much a dense one counts depends on the model: give --fusion-weight, "
            "or let ctl tune-fusion find it"
        )
    return Fusion(**chosen)
