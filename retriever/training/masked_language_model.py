"""SimCSE's auxiliary loss: masked language modelling on the texts of the batch, in a forward of its own."""

import numpy as np
import torch
from torch import Tensor

from retriever.encoding.masked_language_model import IGNORED, MaskedLanguageModel
from retriever.encoding.tokens import Tokens
from retriever.training.batches import TokenBatch


class MaskedLanguageModelLoss:
    """Adds the gradient of the masked-language-model loss to that of the contrastive one.

    Args:
        model: the encoder with its masked-language-model head.
        seed: of the masks; with several processes each has one of its own.
    """

    def __init__(self, model: MaskedLanguageModel, *, seed: int) -> None:
        self.model, self.seed = model, seed

    def backward(self, batch: TokenBatch, *, step: int, chunk_tokens: int | None, weight: float) -> Tensor:
        """Mask all texts of the batch and add the gradient of ``weight`` times their mean loss to the parameters.

        Anchors, positives and hard negatives are masked each on its own, also where anchor and positive are the same sentence.
        The masks depend on seed and step alone. With several processes each takes the mean over its own masked tokens, and
        averaging their gradients makes it the mean of these means.

        Args:
            batch: the texts.
            step: the number of the step.
            chunk_tokens: tokens in a chunk at most, the graph of one chunk being held at a time; None: all at once.
            weight: of this loss beside the contrastive one (SimCSE: 0.1).

        Returns:
            The mean cross-entropy of the masked tokens, (), without weight and graph; 0 when none was masked.
        """
        texts = Tokens.concatenate(batch.texts)
        masked, labels = self.model.mask(texts.select(texts.longest_first()), self._generator(step))
        count = max(1, int((labels != IGNORED).sum()))
        chunks = [masked] if chunk_tokens is None else list(masked.split(chunk_tokens))
        losses = []
        for chunk, expected in zip(chunks, labels.split([len(each.ids) for each in chunks]), strict=True):
            loss = self.model.loss_sum(chunk, expected) / count
            (weight * loss).backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    def _generator(self, step: int) -> torch.Generator:
        """A stream of its own for each pair of seed and step."""
        mixed = np.random.SeedSequence((self.seed, step)).generate_state(1)
        return torch.Generator().manual_seed(int(mixed[0]))
