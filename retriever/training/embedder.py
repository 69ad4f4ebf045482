"""Batch of tokens → batch of embeddings: the one forward of a training step."""

import torch
from torch import Tensor, nn

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.tokens import Tokens
from retriever.losses.embedding_batch import EmbeddingBatch
from retriever.training.batches import EMPTY, TokenBatch


class Embedder(nn.Module):
    """Embeds a batch with a dual encoder; SimCSE's one encoder is a dual encoder that shares its weights.

    All texts of an encoder go through it in one forward. Every text has dropout masks of its own, also when the same
    sentence is there twice: that is SimCSE's augmentation.
    """

    def __init__(self, model: DualEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: TokenBatch) -> EmbeddingBatch:
        """Tokens → embeddings, with the batch's ids on the same device."""
        size = len(batch)
        passages = [batch.positive] if batch.hard_negative is None else [batch.positive, batch.hard_negative]
        if self.model.shared:
            embeddings = self.model.query(Tokens.concatenate([batch.anchor, *passages]))
            anchor, passage = embeddings[:size], embeddings[size:]  # (B, D), (B + hard negatives, D)
        else:
            anchor = self.model.query(batch.anchor)
            passage = self.model.passage(Tokens.concatenate(passages))
        device = anchor.device
        return EmbeddingBatch(
            anchor=anchor,
            positive=passage[:size],
            positive_id=batch.positive_id.to(device),
            known_positive_id=batch.known_positive_id.to(device),
            hard_negative=None
            if batch.hard_negative_id is None
            else _into_slots(passage[size:], batch.hard_negative_id.to(device)),
            hard_negative_id=None if batch.hard_negative_id is None else batch.hard_negative_id.to(device),
        )


def _into_slots(embeddings: Tensor, ids: Tensor) -> Tensor:
    """The hard negatives that exist → (B, K, D), zeros in the empty slots."""
    slots = embeddings.new_zeros(*ids.shape, embeddings.shape[1])
    return torch.index_put(slots, (ids != EMPTY).nonzero(as_tuple=True), embeddings)
