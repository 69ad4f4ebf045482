"""Centroids for the lists of an index on a GPU, where FAISS-cpu's own k-means would take hours on the CPU."""

import torch
from torch import Tensor

ITERATIONS = 10
"""As many as FAISS takes for lists."""

MAX_SCORES = 2**27
"""Products with centroids that are held at a time: half a gigabyte."""

STEPS = 2**30
"""Steps of a number between 0 and 1: sums of whole numbers are the same in any order, and so on any device."""

APART = 1 / 1024
"""By how much the halves of a cluster that is split differ from it, as in FAISS."""


@torch.inference_mode()
def kmeans(vectors: Tensor, count: int, *, iterations: int = ITERATIONS, seed: int = 0) -> Tensor:
    """Spherical k-means: Lloyd's iterations from random vectors, each assigned to the centroid of the largest product.

    A cluster that is empty takes half of one that is not, drawn by size.

    Args:
        vectors: (n, D) float32, at least ``count``, none of them longer than some thousands.
        count: centroids.
        iterations: how often they move.
        seed: of what is drawn.

    Returns:
        (count, D) unit centroids, where the vectors are.

    Raises:
        ValueError: fewer vectors than centroids.
    """
    if len(vectors) < count:
        raise ValueError(f"{len(vectors)} vectors for {count} centroids")
    generator = torch.Generator().manual_seed(seed)
    start = torch.randperm(len(vectors), generator=generator)[:count].to(vectors.device)
    centroids = torch.nn.functional.normalize(vectors[start], dim=1)
    for _ in range(iterations):
        sums = torch.zeros(centroids.shape, dtype=torch.int64, device=vectors.device)
        sizes = torch.zeros(count, dtype=torch.int64, device=vectors.device)
        for block in vectors.split(max(1, MAX_SCORES // count)):
            nearest = (block @ centroids.T).argmax(1)  # (B,)
            sums.index_add_(0, nearest, (block * STEPS).round().long())
            sizes.index_add_(0, nearest, torch.ones_like(nearest))
        centroids = torch.nn.functional.normalize(sums.double(), dim=1).float()
        _split(centroids, sizes.double().cpu(), generator)
    return centroids


def _split(centroids: Tensor, sizes: Tensor, generator: torch.Generator) -> None:
    """Give each empty cluster half of another, in place."""
    sign = torch.ones(centroids.shape[1], device=centroids.device)
    sign[::2] = -1
    for empty in (sizes == 0).nonzero().flatten().tolist():
        large = int(torch.multinomial(sizes, 1, generator=generator))
        centre = centroids[large].clone()
        centroids[empty], centroids[large] = centre * (1 + APART * sign), centre * (1 - APART * sign)
        sizes[empty] = sizes[large] / 2
        sizes[large] /= 2
    centroids.copy_(torch.nn.functional.normalize(centroids, dim=1))
