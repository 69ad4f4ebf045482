"""Writing into an index folder: one writer at a time, new segments and new generations, and nothing of what was there changed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.folders import drop_unused, locked, new_folder
from retriever.index.bm25 import write_statistics
from retriever.index.faiss_index import FaissIndex
from retriever.index.id_table import write_id_table
from retriever.index.layout import (
    BLOCKS,
    BM25,
    GENERATION,
    LOCK,
    PASSAGES,
    SEGMENTS,
    TRAINED,
    Generation,
    Manifest,
    Segment,
    delete_unused,
    files_of,
    next_name,
    switch_to,
    vectors_file,
    write_manifest,
)
from retriever.index.parts import Parts
from retriever.index.sample import CPU, train
from retriever.lexical.bm25 import Bm25Settings, count_blocks
from retriever.protocols import Progress
from retriever.records import Passage

VectorsOf = Callable[[PassageTable, str], Parts]
"""The written passages and their SHA-256 → their vectors in that order; they may be read more than once."""

EmptyOf = Callable[[PassageTable], tuple[FaissIndex, int]]
"""The written passages → an empty index, trained or not, and how many vectors go into one file."""


@contextmanager
def writer(index: Path) -> Iterator[None]:
    """Be the one who writes into the folder; what a killed writer left, and on an error what this one did, is deleted.

    Shards stay in both cases, so that a build goes on where it was.

    Raises:
        InputError: another process is writing into it.
    """
    was_there = index.exists()
    index.mkdir(parents=True, exist_ok=True)
    with locked(index / LOCK, "another process is writing into this index"):
        try:
            delete_unused(index)
            yield
        finally:
            delete_unused(index)
            if not was_there:
                drop_unused(index, index / LOCK)


def write_segment(
    index: Path,
    passages: Iterable[Passage],
    vectors_of: VectorsOf,
    *,
    empty: EmptyOf,
    device: torch.device = CPU,
    bm25: Bm25Settings | None,
    progress: Progress,
) -> tuple[Segment, Parts]:
    """Write passages and their vectors into a new folder, which no generation names yet.

    Args:
        index: the index folder.
        passages: at least one; their ids differ.
        vectors_of: makes their vectors.
        empty: the index that they are added to; if it is not trained, it is trained with a sample of them.
        device: where it is trained.
        bm25: with which BM25 will search them; None: it will not.
        progress: opens progress displays.

    Returns:
        What the manifest says of it, and the vectors as they were added.
    """
    folders = index / SEGMENTS
    with new_folder(folders, next_name(folders)) as folder:
        count, passages_sha256 = write_passage_table(folder / PASSAGES, passages)
        table = PassageTable(folder / PASSAGES)
        found, rows_per_file = empty(table)
        if bm25 is not None:
            count_blocks(
                table, index / BLOCKS, bm25.analyser, passages_sha256=passages_sha256, progress=progress
            )
        parts = vectors_of(table, passages_sha256)
        train(found, parts, device)
        found.save(folder / TRAINED)
        del found
        if parts.count != count:
            raise ValueError(f"{parts.count} vectors for {count} passages")
        write_vectors(folder, parts, rows_per_file)
        write_id_table(folder, table.all_ids())
        if bm25 is not None:
            (index / BLOCKS).rename(folder / BM25)
    entry = Segment(folder.stem, count, passages_sha256)
    return replace(entry, files=files_of(folders / entry.name)), parts


def write_vectors(folder: Path, parts: Parts, rows: int) -> list[Path]:
    """Add the vectors to what was trained, so many to a file; the files."""
    files, found = [folder / vectors_file(0)], FaissIndex.load_empty(folder / TRAINED)
    for vectors in parts:
        start = 0
        while start < len(vectors):
            if len(found) == rows:
                found.save(files[-1])
                found = FaissIndex.load_empty(folder / TRAINED)
                files.append(folder / vectors_file(len(files)))
            part = vectors[start : start + rows - len(found)]
            found.add(part)
            start += len(part)
    found.save(files[-1])
    return files


def put_into_force(
    index: Path, manifest: Manifest, removed: NDArray[np.int64], bm25: Bm25Settings | None
) -> None:
    """Write a generation and switch to it.

    Args:
        index: the index folder.
        manifest: of the generation; its files, and how many passages there are, are found out here.
        removed: rows of its segments that are gone, sorted.
        bm25: with which BM25 searches it; None: it does not.
    """
    name = next_name(index, GENERATION)
    with new_folder(index, name) as folder:
        generation = Generation(folder)
        if len(removed):
            np.save(generation.removed, removed, allow_pickle=False)
        if bm25 is not None:
            write_statistics(index, manifest.segments, removed, bm25, generation.bm25)
        count = sum(each.count for each in manifest.segments) - len(removed)
        whole = replace(manifest, count=count, removed=len(removed), files=files_of(folder))
        write_manifest(generation, whole)
    switch_to(index, Generation(index / name))
