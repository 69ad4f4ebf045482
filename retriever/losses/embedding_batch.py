"""What every objective sees: embeddings and the ids behind them, never text, tokens or a model."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class EmbeddingBatch:
    """The embeddings of one batch. Ids travel, not masks: the mask is made once, beside the scores.

    Attributes:
        anchor: (B, D).
        positive: (B, D).
        hard_negative: (B, K, D), or None; a slot whose id is -1 holds no passage and its values are ignored.
        extra_negative: (M, D) negatives of every anchor (other processes, a queue), or None.
        positive_id: (B,) int64.
        hard_negative_id: (B, K) int64, -1 for an empty slot, or None.
        extra_negative_id: (M,) int64, or None.
        known_positive_id: (B, P) int64, -1 padded: every positive of the anchor, none of which may count as a negative.
    """

    anchor: Tensor
    positive: Tensor
    positive_id: Tensor
    known_positive_id: Tensor
    hard_negative: Tensor | None = None
    hard_negative_id: Tensor | None = None
    extra_negative: Tensor | None = None
    extra_negative_id: Tensor | None = None


Objective = Callable[[EmbeddingBatch], Tensor]
"""A batch of embeddings → a scalar loss."""
