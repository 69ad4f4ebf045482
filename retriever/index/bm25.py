"""The BM25 side of an index folder: word counts lie in segments, which never change, and statistics of all of them in generations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.errors import InputError
from retriever.index.layout import BM25, Segment, segment_folder
from retriever.index.opened import OpenIndex
from retriever.lexical.block import Block
from retriever.lexical.bm25 import (
    Bm25Settings,
    block_folders,
    load_statistics,
    require_words,
    save_statistics,
)
from retriever.lexical.formula import Formula, Statistics
from retriever.lexical.search import Bm25, Bm25Searcher


def settings_of(opened: OpenIndex) -> Bm25Settings | None:
    """With which BM25 searches an index; None: it does not."""
    return load_statistics(opened.generation.bm25)[0] if opened.manifest.bm25 else None


def write_statistics(
    index: Path,
    segments: Sequence[Segment],
    removed: NDArray[np.int64],
    settings: Bm25Settings,
    folder: Path,
) -> None:
    """Write what all passages that are there have together: a sum over segments, in which no text is read again."""
    folder.mkdir()
    save_statistics(folder, settings, Statistics.of(*_blocks(index, segments, removed)))


def require_words_in(folder: Path) -> None:
    """Raise InputError when no passage of a segment has a word."""
    require_words([Block.load(each) for each in block_folders(folder / BM25)])


def open_bm25(opened: OpenIndex) -> Bm25Searcher:
    """What searches the index by words.

    Raises:
        InputError: a file is missing or damaged.
    """
    settings, statistics = load_statistics(opened.generation.bm25)
    blocks, gone = _blocks(opened.path, [each.entry for each in opened.segments], opened.removed)
    bm25 = Bm25(blocks, gone, Formula(settings.formula, statistics))
    return Bm25Searcher(bm25, settings.analyser, opened.ids_of, lambda id: int(opened.row_of([id])[0]))


def _blocks(
    index: Path, segments: Sequence[Segment], removed: NDArray[np.int64]
) -> tuple[list[Block], list[NDArray[np.int64]]]:
    """All blocks in the order of their rows, and the rows of each that were removed."""
    blocks, gone, start, end = [], [], 0, 0
    for segment in segments:
        folder, end = segment_folder(index, segment.name) / BM25, end + segment.count
        for each in block_folders(folder) if folder.is_dir() else ():
            blocks.append(Block.load(each))
            rows = slice(*np.searchsorted(removed, [start, start + len(blocks[-1])]))
            gone.append(removed[rows] - start)
            start += len(blocks[-1])
        if start != end:
            raise InputError(
                f"the words of {start} passages were counted, of {end}: the index is damaged", path=folder
            )
    return blocks, gone
