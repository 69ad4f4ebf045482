"""Vectors that lie as embeddings do: in clusters of very unequal size, with a spectrum that falls off; never isotropic noise."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CENTRES = 5_000
SPREAD = 0.6
"""Of a vector around its centre, as a share of the centres' own spread."""
BLOCK = 50_000


class Process:
    """Draws unit vectors; corpus and queries of one seed are draws of the same process.

    Args:
        dimension: D.
        seed: of the centres.
    """

    def __init__(self, dimension: int, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.scales = (1 + np.arange(dimension, dtype=np.float32)) ** -0.5  # the power-law spectrum
        self.centres = generator.standard_normal((CENTRES, dimension), np.float32) * self.scales
        sizes = 1 / np.arange(1, CENTRES + 1)  # power-law, too
        self.sizes = sizes / sizes.sum()

    def blocks(self, count: int, seed: int) -> Iterator[NDArray[np.float32]]:
        """(n, D) unit vectors, ``count`` in all."""
        generator = np.random.default_rng([seed, 1])
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            chosen = generator.choice(CENTRES, size, p=self.sizes)
            noise = generator.standard_normal((size, len(self.scales)), np.float32)
            vectors = self.centres[chosen] + SPREAD * self.scales * noise
            yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def draw(self, count: int, seed: int) -> NDArray[np.float32]:
        """(count, D) unit vectors."""
        return np.concatenate(list(self.blocks(count, seed)))
