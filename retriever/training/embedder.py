"""Batch of tokens → batch of embeddings."""

import torch
from torch import Tensor, nn

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.encoding.tokens import Tokens
from retriever.losses.embedding_batch import EmbeddingBatch
from retriever.training.batches import EMPTY, TokenBatch


class Embedder(nn.Module):
    """Embeds a batch with a dual encoder; SimCSE's one encoder is a dual encoder that shares its weights.

    Every text has dropout masks of its own, also when the same sentence is there twice: that is SimCSE's augmentation.
    """

    def __init__(self, model: DualEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: TokenBatch) -> EmbeddingBatch:
        """Tokens → embeddings: all texts of an encoder go through it in one forward."""
        return self.assemble(batch, [encoder(tokens) for encoder, tokens in self.inputs(batch)])

    def inputs(self, batch: TokenBatch) -> list[tuple[Encoder, Tokens]]:
        """Each encoder with the texts of the batch that go through it: anchors, positives, hard negatives in this order."""
        if self.model.shared:
            return [(self.model.query, Tokens.concatenate(batch.texts))]
        return [
            (self.model.query, batch.anchor),
            (self.model.passage, Tokens.concatenate(batch.texts[1:])),
        ]

    def assemble(self, batch: TokenBatch, embeddings: list[Tensor]) -> EmbeddingBatch:
        """The embeddings of ``inputs``, in their places, with the batch's ids on the same device."""
        size, device = len(batch), embeddings[0].device
        anchor, passage = torch.cat(embeddings).split([size, sum(map(len, batch.texts[1:]))])
        hard_negative = hard_negative_id = None
        if batch.hard_negative_id is not None:
            hard_negative_id = batch.hard_negative_id.to(device)
            hard_negative = _into_slots(passage[size:], batch.hard_negative_id)
        return EmbeddingBatch(
            anchor=anchor,
            positive=passage[:size],
            positive_id=batch.positive_id.to(device),
            known_positive_id=batch.known_positive_id.to(device),
            hard_negative=hard_negative,
            hard_negative_id=hard_negative_id,
        )


def _into_slots(embeddings: Tensor, ids: Tensor) -> Tensor:
    """The hard negatives that exist → (B, K, D), zeros in the empty slots; ``ids`` is on the CPU, where this is planned."""
    if bool((ids != EMPTY).all()):
        return embeddings.reshape(*ids.shape, -1)
    slots = embeddings.new_zeros(ids.numel(), embeddings.shape[1])
    filled = (ids != EMPTY).flatten().nonzero().squeeze(1)
    return slots.index_copy(0, filled.to(slots.device), embeddings).reshape(*ids.shape, -1)
