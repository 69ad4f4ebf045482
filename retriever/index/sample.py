"""Some of the vectors of an index: what it is trained with, and what stands in for questions."""

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from retriever.index.faiss_index import FaissIndex
from retriever.index.kmeans import kmeans
from retriever.index.parts import Parts

logger = logging.getLogger(__name__)

TRAINING_VECTORS_PER_LIST = 64
"""FAISS warns below 39 and takes no more than 256; the recall hardly changes in between."""

WITHOUT_LISTS = 256
"""For so many lists a sample is drawn where there are none: ranges and codebooks need fewer."""

MOST_TRAINING_VECTORS = 2_000_000
"""What a sample may take of the memory, whatever the number of lists."""


CPU = torch.device("cpu")
CENTROIDS_ON = ("cuda",)
"""Kinds of devices on which centroids are found in torch; elsewhere FAISS finds them."""


def train(index: FaissIndex, parts: Parts, device: torch.device = CPU) -> None:
    """Train an index that has to be with a sample of the vectors, always the same one; centroids are found on a GPU if that is the device."""
    if index.is_trained:
        return
    sample, _ = sample_vectors(parts, sample_size(index.lists), seed=0)
    logger.info("training the index with %d vectors", len(sample))
    if index.lists and device.type in CENTROIDS_ON:
        index.set_centroids(kmeans(torch.from_numpy(sample).to(device), index.lists).cpu().numpy())
    index.train(sample)


def sample_size(lists: int) -> int:
    """Vectors that an index of so many lists, or of none, is trained with, if there are as many."""
    return min(MOST_TRAINING_VECTORS, TRAINING_VECTORS_PER_LIST * max(lists, WITHOUT_LISTS))


def sample_vectors(parts: Parts, count: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, D) vectors that are drawn, and their rows over all parts, sorted; all when there are not so many."""
    rows = np.sort(np.random.default_rng(seed).choice(parts.count, min(count, parts.count), replace=False))
    found, first = [np.empty((0, parts.dimension), np.float32)], 0
    for number, size in enumerate(parts.sizes):
        own = rows[slice(*np.searchsorted(rows, [first, first + size]))] - first
        if len(own):
            found.append(parts[number][own].astype(np.float32))
        first += size
    return np.concatenate(found), rows
