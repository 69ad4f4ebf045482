"""Vectors that lie as embeddings do: in clusters of unequal size, with a spectrum that falls off; never isotropic noise.

The exponents are those of all-MiniLM-L6-v2's embeddings of 60,000 sentences: variance along its n-th axis falls as n^-0.54, and lists
that are probed find as much of it (of 512 lists 8, 32 and 128: recall@10 .84, .95 and .99).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CENTRES = 5_000
SIZES, SPECTRUM = 0.5, 0.27
"""Exponents of the power laws: of the clusters' sizes by rank, and of the standard deviation by axis."""
SPREAD = 0.75
"""Of a vector around its centre, as a share of the centres' own spread."""
BLOCK = 50_000


class Process:
    """Draws unit vectors; corpus and queries of one seed are draws of the same process.

    Args:
        dimension: D.
        seed: of centres and axes.
    """

    def __init__(self, dimension: int, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        scales = np.arange(1, dimension + 1, dtype=np.float32) ** -SPECTRUM
        axes = np.linalg.qr(generator.standard_normal((dimension, dimension)))[0].astype(np.float32)
        self.axes = scales[:, None] * axes  # (D, D): no number of a vector is an axis of its own
        self.centres = generator.standard_normal((CENTRES, dimension), np.float32)
        sizes = np.arange(1, CENTRES + 1) ** -SIZES
        self.sizes = sizes / sizes.sum()

    def blocks(self, count: int, seed: int) -> Iterator[NDArray[np.float32]]:
        """(n, D) unit vectors, ``count`` in all."""
        generator = np.random.default_rng([seed, 1])
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            chosen = generator.choice(CENTRES, size, p=self.sizes)
            noise = generator.standard_normal((size, self.centres.shape[1]), np.float32)
            vectors = (self.centres[chosen] + SPREAD * noise) @ self.axes
            yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def draw(self, count: int, seed: int) -> NDArray[np.float32]:
        """(count, D) unit vectors."""
        return np.concatenate(list(self.blocks(count, seed)))
