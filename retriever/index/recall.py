"""How much of what exact search finds does an approximate index find, and how far must its search be turned up?"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retriever.encoding.dual_encoder import DualEncoder
from retriever.index.exact import ExactSearch
from retriever.index.faiss_index import FaissIndex
from retriever.index.parts import Parts
from retriever.index.recipes import Settings
from retriever.index.sample import sample_vectors

logger = logging.getLogger(__name__)

DEPTH = 10
NUM_QUERIES = 500


@dataclass(frozen=True)
class Truth:
    """Questions and what exact search finds for them.

    Attributes:
        queries: (Q, D).
        rows: (Q, DEPTH) the best rows.
        own: (Q,) row of the passage that stands in for the question, and is not to be found; None: they are questions.
    """

    queries: NDArray[np.float32]
    rows: NDArray[np.int64]
    own: NDArray[np.int64] | None = None

    @classmethod
    def of_questions(cls, queries: NDArray[np.float32], parts: Parts, device: torch.device) -> "Truth":
        """For (Q, D) embedded questions over the vectors of an index, in the order of its rows."""
        _, rows = ExactSearch(parts, device).search(queries, DEPTH)
        return cls(queries, rows)

    @classmethod
    def of_passages(cls, parts: Parts, device: torch.device) -> "Truth":
        """Passages stand in for questions: each is to find those that are nearest to it, itself left out."""
        queries, own = sample_vectors(parts, NUM_QUERIES, seed=1)
        _, rows = ExactSearch(parts, device).search(queries, DEPTH + 1)
        return cls(queries, without_own(rows, own), own)

    @classmethod
    def of(cls, questions: Sequence[str] | None, model: DualEncoder, parts: Parts) -> "Truth":
        """``of_questions``, which the model encodes, or without questions ``of_passages``, on the model's device."""
        if questions is None:
            return cls.of_passages(parts, model.query.device)
        return cls.of_questions(model.encode_queries(questions), parts, model.query.device)

    @property
    def queries_are(self) -> str:
        """For the manifest."""
        return "questions" if self.own is None else "passages"

    def report(self, recall: float, passages: int) -> dict[str, float | str]:
        """What the manifest says of a recall that was measured with this."""
        return {
            f"recall@{DEPTH}": round(recall, 4),
            "queries": len(self.queries),
            "queries_are": self.queries_are,
            "passages": passages,
        }

    def recall_of(self, index: FaissIndex) -> float:
        """Recall@10: the share of what exact search finds that the index finds."""
        _, rows = index.search(self.queries, DEPTH + (self.own is not None))
        if self.own is not None:
            rows = without_own(rows, self.own)
        return recall(rows, self.rows)

    def turn_up(self, index: FaissIndex, ladder: Sequence[Settings], target: float) -> tuple[Settings, float]:
        """Set the index to the first settings that reach the target, or else to those that come nearest.

        Returns:
            These settings and the recall that was measured with them.
        """
        best: tuple[Settings, float] | None = None
        for settings in ladder:
            index.set_search(settings)
            found = self.recall_of(index)
            logger.debug("%s: recall@%d %.4f", settings, DEPTH, found)
            if best is None or found > best[1]:
                best = settings, found
            if found >= target:
                break
        if best is None:
            raise ValueError("a ladder has at least one step")
        index.set_search(best[0])
        return best


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Mean share of each row of ``truth``, (Q, K), that is in the same row of ``found``, (Q, any); 1 where there is nothing to find."""
    if not truth.size:
        return 1.0
    return float((truth[:, :, None] == found[:, None, :]).any(2).mean())


def without_own(rows: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """(Q, K) rows → (Q, K - 1): each without its own, or without the last where its own was not found."""
    keep = rows != own[:, None]
    keep[keep.all(1), -1] = False
    return rows[keep].reshape(len(rows), -1)
