"""What every objective sees: embeddings and the ids behind them, never text, tokens or a model."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
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

    def detach(self) -> "EmbeddingBatch":
        """The same values without their graph."""
        values: dict[str, Any] = {
            each.name: None if (value := getattr(self, each.name)) is None else value.detach()
            for each in fields(self)
        }
        return replace(self, **values)

    def candidates(self) -> tuple[Tensor, Tensor]:
        """(C, D) candidates of every anchor and (C,) their ids: positives, hard negatives, extra negatives."""
        rows, ids = [self.positive], [self.positive_id]
        if self.hard_negative is not None and self.hard_negative_id is not None:
            rows.append(self.hard_negative.flatten(0, 1))
            ids.append(self.hard_negative_id.flatten())
        if self.extra_negative is not None and self.extra_negative_id is not None:
            rows.append(self.extra_negative)
            ids.append(self.extra_negative_id)
        return torch.cat(rows), torch.cat(ids)


Objective = Callable[[EmbeddingBatch], Tensor]
"""A batch of embeddings → a scalar loss."""
