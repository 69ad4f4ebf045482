"""The one place where a loss compares embeddings; evaluation, which knows no torch, has its own in ``evaluation/sts``."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import normalize

from retriever.choices import Similarity


def similarity_matrix(first: Tensor, second: Tensor, kind: Similarity) -> Tensor:
    """Every row against every row: (N, D) × (M, D) → (N, M).

    Cosine normalises and multiplies, so memory stays at N·M (the reference SimCSE code broadcasts to N·M·D).
    """
    first, second = PREPARE[kind](first), PREPARE[kind](second)
    return first @ second.T


PREPARE: dict[Similarity, Callable[[Tensor], Tensor]] = {
    "cosine": lambda rows: normalize(rows, dim=-1),
    "dot": lambda rows: rows,
}
"""What each similarity does to embeddings before their inner product."""
