"""GradCache (Gao et al., 2021): the gradient of a batch of any size with the memory of one chunk.

Embed every chunk without a graph; take the gradient of the loss by the embeddings; embed every chunk again, with a graph and
the same dropout masks, and send that gradient through it. The gradient is that of the whole batch, and every loss fits, because
a loss is a function of embeddings. The price is a second forward.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from retriever.losses.embedding_batch import EmbeddingBatch, Objective
from retriever.training.batches import TokenBatch
from retriever.training.embedder import Embedder

REPLAY_TOLERANCE = 0.02
"""Embeddings of the second forward may differ from the first's by this share of their length: kernels that add in another
order stay far below it even in bf16, other dropout masks lie far above it."""


class RandomState:
    """The state of the generators that dropout draws from: the CPU's and the device's."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu = torch.get_rng_state()
        self.accelerator = (
            torch.get_device_module(device).get_rng_state(device) if device.type != "cpu" else None
        )

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """What is drawn inside repeats what was drawn after this state was taken; outside nothing changes."""
        outside = RandomState(self.device)
        self._restore()
        try:
            yield
        finally:
            outside._restore()

    def _restore(self) -> None:
        torch.set_rng_state(self.cpu)
        if self.accelerator is not None:
            torch.get_device_module(self.device).set_rng_state(self.accelerator, self.device)


def cached_backward(
    embedder: Embedder, batch: TokenBatch, objective: Objective, *, chunk_tokens: int
) -> tuple[Tensor, EmbeddingBatch, Tensor]:
    """Add the gradient of the batch's loss to the parameters, holding the graph of one chunk at a time.

    Args:
        embedder: its two forwards draw the same dropout masks.
        batch: of any size.
        objective: the loss; it sees the whole batch at once, so the number of negatives is that of the batch.
        chunk_tokens: tokens in a chunk at most; a longer text is a chunk of its own.

    Returns:
        The loss, (); the embeddings, without graph; and the largest share by which an embedding of the second forward differs
        from the first, (): above ``REPLAY_TOLERANCE`` the gradient is wrong.
    """
    chunks, leaves, orders = [], [], []
    for encoder, tokens in embedder.inputs(batch):
        order = torch.argsort(tokens.lengths, descending=True, stable=True)  # alike lengths run together
        parts = list(tokens.select(order).split(chunk_tokens))
        states, embeddings = [], []
        with torch.no_grad():
            for part in parts:
                states.append(RandomState(encoder.device))
                embeddings.append(encoder(part))
        leaf = torch.cat(embeddings).requires_grad_()  # (texts of this encoder, D), longest first
        leaves.append(leaf)
        orders.append(torch.argsort(order).to(leaf.device))
        chunks.append((encoder, parts, states))
    embedded = embedder.assemble(batch, [leaf[back] for leaf, back in zip(leaves, orders, strict=True)])
    loss = objective(embedded)
    loss.backward()
    difference = loss.new_zeros(())
    for (encoder, parts, states), leaf in zip(chunks, leaves, strict=True):
        sizes = [len(part) for part in parts]
        gradients = leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
        for part, state, first, gradient in zip(
            parts, states, leaf.detach().split(sizes), gradients.split(sizes), strict=True
        ):
            with state.replayed():
                second = encoder(part)
            difference = torch.maximum(difference, _relative_difference(first, second.detach()))
            second.backward(gradient)
    return loss.detach(), embedded.detach(), difference


def _relative_difference(first: Tensor, second: Tensor) -> Tensor:
    """The largest distance between two embeddings of a text, as a share of their length."""
    return ((first - second).norm(dim=1) / first.norm(dim=1).clamp(min=1e-12)).max()
