"""Some of the vectors of an index: what it is trained with, and what stands in for questions."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.index.faiss_index import FaissIndex

logger = logging.getLogger(__name__)

TRAINING_VECTORS_PER_LIST = 64
"""FAISS warns below 39 and takes no more than 256; the recall hardly changes in between."""

WITHOUT_LISTS = 256
"""For so many lists a sample is drawn where there are none: ranges and codebooks need fewer."""

MOST_TRAINING_VECTORS = 2_000_000
"""What a sample may take of the memory, whatever the number of lists."""


def train(index: FaissIndex, parts: Sequence[NDArray[np.floating]]) -> None:
    """Train an index that has to be with a sample of (n, D) parts; always the same one."""
    if index.is_trained:
        return
    sample, _ = sample_vectors(parts, sample_size(index.lists), seed=0)
    logger.info("training the index with %d vectors", len(sample))
    index.train(sample)


def sample_size(lists: int) -> int:
    """Vectors that an index of so many lists, or of none, is trained with, if there are as many."""
    return min(MOST_TRAINING_VECTORS, TRAINING_VECTORS_PER_LIST * max(lists, WITHOUT_LISTS))


def sample_vectors(
    parts: Sequence[NDArray[np.floating]], count: int, *, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, D) vectors drawn from (n, D) parts, and their rows over all parts, sorted; all when there are not so many."""
    ends = np.cumsum([len(each) for each in parts])
    total = int(ends[-1])
    rows = np.sort(np.random.default_rng(seed).choice(total, min(count, total), replace=False))
    found = [
        part[rows[(rows >= end - len(part)) & (rows < end)] - (end - len(part))].astype(np.float32)
        for part, end in zip(parts, ends, strict=True)
    ]
    return np.concatenate(found), rows
