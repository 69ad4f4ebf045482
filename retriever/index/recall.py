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
from retriever.records import Passage

logger = logging.getLogger(__name__)

DEPTH = 10
NUM_QUERIES, WORDS = 500, 8


@dataclass(frozen=True)
class Truth:
    """Questions and what exact search finds for them.

    Attributes:
        queries: (Q, D).
        rows: (Q, DEPTH) the best rows.
        queries_are: questions, or what stands in for them.
    """

    queries: NDArray[np.float32]
    rows: NDArray[np.int64]
    queries_are: str = "questions"

    @classmethod
    def of_queries(
        cls,
        queries: NDArray[np.float32],
        parts: Parts,
        device: torch.device,
        *,
        queries_are: str = "questions",
    ) -> "Truth":
        """For (Q, D) embedded questions over the vectors of an index, in the order of its rows."""
        _, rows = ExactSearch(parts, device).search(queries, DEPTH)
        return cls(queries, rows, queries_are)

    @classmethod
    def of(
        cls,
        questions: Sequence[str] | None,
        model: DualEncoder,
        parts: Parts,
        passages: Sequence[Passage],
    ) -> "Truth":
        """For questions, or for what stands in for them, on the model's device.

        Args:
            questions: None: the first words of some passages. (Whole passages would be found more easily than questions are.)
            model: encodes them.
            parts: the vectors of the index.
            passages: in the order of these vectors.
        """
        queries_are = "questions"
        if questions is None:
            generator = np.random.default_rng(1)
            places = generator.choice(parts.count, min(NUM_QUERIES, parts.count), replace=False)
            questions = [beginning(passages[place]) for place in np.sort(places).tolist()]
            queries_are = "beginnings of passages"
        queries = model.encode_queries(questions)
        return cls.of_queries(queries, parts, model.query.device, queries_are=queries_are)

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
        _, rows = index.search(self.queries, DEPTH)
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


def beginning(passage: Passage) -> str:
    """What stands in for a question: about as many of the passage's words as questions have."""
    return " ".join((passage.text or passage.title).split()[:WORDS])
