"""Is an index what was written, and does its model still give the vectors that it holds?"""

from collections.abc import Sequence

import numpy as np

from retriever.config.index import IndexVerifyConfig
from retriever.errors import InputError
from retriever.index.faiss_index import FaissIndex
from retriever.index.layout import check_files
from retriever.index.model import model_of
from retriever.index.opened import OpenIndex
from retriever.index.vectors import map_vectors
from retriever.protocols import Progress, no_progress

SMALLEST_COSINE = 0.98
"""Between a stored vector and the same passage encoded again: other batches and bf16 cost some thousandths, another passage half."""


def verify_index(config: IndexVerifyConfig, *, progress: Progress = no_progress) -> dict[str, float]:
    """Hash every file, and encode a sample of the passages of each segment again.

    Returns:
        What was checked: ``files``, ``bytes``, ``segments``, ``passages``, ``removed``, and, unless ``sample`` is 0, ``sampled``
        passages with the ``worst_cosine`` of a stored vector and a new one.

    Raises:
        InputError: a file is damaged, or a vector is not that of its passage.
    """
    found, opened, mapped = OpenIndex.open_with(
        config.index,
        lambda opened: (
            _verify_files(opened, progress),
            opened,
            map_vectors(opened) if config.sample else [],
        ),
    )
    if config.sample:
        found |= _verify_vectors(config, opened, mapped)
    return found


def _verify_files(opened: OpenIndex, progress: Progress) -> dict[str, float]:
    parts = [(opened.generation.folder, opened.manifest.files)]
    parts += [(each.folder, each.entry.files) for each in opened.segments]
    total = sum(entry["bytes"] for _, files in parts for entry in files.values())
    with progress(total, "hash") as advance:
        for folder, files in parts:
            for name, entry in files.items():
                check_files(folder, {name: entry}, whole=True)
                advance(entry["bytes"])
    return {
        "files": sum(len(files) for _, files in parts),
        "bytes": total,
        "segments": len(opened.segments),
        "passages": len(opened),
        "removed": len(opened.removed),
    }


def _verify_vectors(
    config: IndexVerifyConfig, opened: OpenIndex, mapped: Sequence[FaissIndex]
) -> dict[str, float]:
    model = model_of(config, opened.manifest, for_passages=True)
    generator, sampled, worst = np.random.default_rng(0), 0, 1.0
    for segment, vectors in zip(opened.segments, mapped, strict=True):
        rows = generator.choice(segment.entry.count, min(config.sample, segment.entry.count), replace=False)
        passages = [segment.passages[int(row)] for row in rows]
        cosines = _cosines(_stored(vectors, rows), model.encode_passages(passages))
        lowest = int(cosines.argmin())
        if not cosines[lowest] >= SMALLEST_COSINE:  # nor is a cosine that is no number
            raise InputError(
                f"the vector of passage '{passages[lowest].id}' is not the one that the model gives now (cosine {cosines[lowest]:.3f})",
                path=segment.folder,
            )
        sampled, worst = sampled + len(rows), min(worst, float(cosines[lowest]))
    return {"sampled": sampled, "worst_cosine": worst}


def _stored(vectors: FaissIndex, rows: np.ndarray) -> np.ndarray:
    """(n, D) vectors as the index holds them."""
    return np.concatenate([vectors.vectors(int(row), 1) for row in rows])


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) cosines of (n, D) pairs; 0 where one is all zeros."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines: np.ndarray = (first * second).sum(1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return cosines
