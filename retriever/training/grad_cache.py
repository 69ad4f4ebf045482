"""GradCache (Gao et al., 2021): the gradient of a batch of any size with the memory of one chunk.

Embed every chunk without a graph; take the gradient of the loss by the embeddings; embed every chunk again, with a graph and
the same dropout masks, and send that gradient through it. The gradient is that of the whole batch, and every loss fits, because
a loss is a function of embeddings. The price is a second forward.
"""

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from retriever.encoding.encoder import Encoder
from retriever.encoding.tokens import Tokens
from retriever.heap import give_back_freed_memory
from retriever.losses.embedding_batch import EmbeddingBatch, Objective
from retriever.training.batches import TokenBatch
from retriever.training.embedder import Embedder

REPLAY_TOLERANCE = 0.02
"""Embeddings of the second forward may differ from the first's by this share of their length: kernels that add in another
order stay far below it even in bf16, other dropout masks lie far above it."""

TIDY_BEYOND, TIDY_EVERY = 3, 2
"""Chunks differ in shape, so that their graphs leave holes in a CPU's heap. In a step of more than three it is tidied before
every second one: each time costs some tenths of a second, as the next chunk's memory has to be had anew."""


def cached_backward(
    embedder: Embedder, batch: TokenBatch, objective: Objective, *, chunk_tokens: int
) -> tuple[Tensor, EmbeddingBatch, Tensor]:
    """Add the gradient of the batch's loss to the parameters, holding the graph of one chunk at a time.

    Args:
        embedder: its dropout draws from PyTorch's own generators.
        batch: of any size.
        objective: the loss; it sees the whole batch at once, so the number of negatives is that of the batch.
        chunk_tokens: tokens in a chunk at most; a longer text is a chunk of its own.

    Returns:
        The loss, (); the embeddings, without graph; and the largest share by which an embedding of the second forward differs
        from the first, (): above ``REPLAY_TOLERANCE`` the gradient is wrong.
    """
    passes = [chunks_of(encoder, tokens, chunk_tokens) for encoder, tokens in embedder.inputs(batch)]
    leaves, in_order = [], []
    for chunks in passes:
        leaf = embed_without_graph(chunks)  # (texts of this encoder, D), longest first
        leaves.append(leaf)
        in_order.append(leaf[chunks.back.to(leaf.device)])
    embedded = embedder.assemble(batch, in_order)
    loss = objective(embedded)
    loss.backward()
    difference = loss.new_zeros(())
    for chunks, leaf in zip(passes, leaves, strict=True):
        first, gradients = leaf.detach(), leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
        tidy = loss.device.type == "cpu" and len(chunks.tokens) > TIDY_BEYOND
        for number, (tokens, seed, rows) in enumerate(
            zip(chunks.tokens, chunks.seeds, chunks.rows, strict=True)
        ):
            if tidy and number % TIDY_EVERY == 0:
                give_back_freed_memory()
            second = embed_seeded(chunks.encoder, tokens, seed)
            difference = torch.maximum(difference, _relative_difference(first[rows], second.detach()))
            second.backward(gradients[rows])
    return loss.detach(), embedded.detach(), difference


@dataclass(frozen=True)
class Chunks:
    """The texts of one encoder, longest first, so that texts of a length run together.

    Attributes:
        encoder: embeds them.
        tokens: of each chunk.
        rows: which of the sorted texts each chunk has.
        seeds: of each chunk's dropout.
        back: (texts,) place of each text of the batch among the sorted ones.
    """

    encoder: Encoder
    tokens: list[Tokens]
    rows: list[slice]
    seeds: list[int]
    back: Tensor


def chunks_of(encoder: Encoder, tokens: Tokens, chunk_tokens: int) -> Chunks:
    """Sort and cut; the seeds are drawn from PyTorch's generator."""
    order = tokens.longest_first()
    parts = list(tokens.select(order).split(chunk_tokens))
    ends = list(accumulate(map(len, parts)))
    rows = [slice(end - len(part), end) for part, end in zip(parts, ends, strict=True)]
    seeds = torch.randint(2**62, (len(parts),)).tolist()
    return Chunks(encoder, parts, rows, seeds, torch.argsort(order))


def embed_seeded(encoder: Encoder, tokens: Tokens, seed: int) -> Tensor:
    """(texts, D), with the dropout masks of the seed, on every device."""
    torch.manual_seed(seed)
    embeddings: Tensor = encoder(tokens)
    return embeddings


@torch.no_grad()
def embed_without_graph(chunks: Chunks) -> Tensor:
    """(texts, D), a leaf that takes a gradient.

    One tensor, made first: small ones that stay between large ones that go would leave holes in the memory.
    """
    device = chunks.encoder.device
    leaf = torch.empty(len(chunks.back), chunks.encoder.dimension, device=device)
    for tokens, seed, rows in zip(chunks.tokens, chunks.seeds, chunks.rows, strict=True):
        leaf[rows] = embed_seeded(chunks.encoder, tokens, seed)
    return leaf.requires_grad_()


def _relative_difference(first: Tensor, second: Tensor) -> Tensor:
    """The largest distance between two embeddings of a text, as a share of their length."""
    return ((first - second).norm(dim=1) / first.norm(dim=1).clamp(min=1e-12)).max()
