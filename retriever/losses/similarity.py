"""The one place where a loss compares embeddings; evaluation, which knows no torch, has its own in ``evaluation/sts``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import normalize

from retriever.choices import Similarity


def similarity_matrix(first: Tensor, second: Tensor, kind: Similarity) -> Tensor:
    """Every row against every row: (N, D) × (M, D) → (N, M).

    Cosine normalises and multiplies, so memory stays at N·M (the reference SimCSE code broadcasts to N·M·D). The values are of fp32
    products, whatever autocast and TF32 say: divided by a temperature of 0.05, an error of 2⁻¹¹ is one of a hundredth. Their gradient
    has the products that surround the backward.
    """
    with _exact_products(first.device):
        first, second = PREPARE[kind](first.float()), PREPARE[kind](second.float())
        return first @ second.T


@contextmanager
def _exact_products(device: torch.device) -> Iterator[None]:
    """Neither autocast nor TF32 inside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


PREPARE: dict[Similarity, Callable[[Tensor], Tensor]] = {
    "cosine": lambda rows: normalize(rows, dim=-1),
    "dot": lambda rows: rows,
}
"""What each similarity does to embeddings before their inner product."""
