"""BM25 over a corpus: counted block by block, with a formula over all of it, searched from memory or from mapped files.

rank-bm25 counts corpora of up to ``SMALL`` passages, and must agree about every idf; beyond that its Python objects take 5 KB a
passage, and our own counting takes its place, whose blocks are the same byte for byte.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from rank_bm25 import BM25Okapi

from retriever.choices import Bm25Formula
from retriever.data.files import read_json, write_json
from retriever.data.folders import new_folder
from retriever.data.hashes import hashes_of
from retriever.errors import InputError
from retriever.lexical.analyser import Analyser
from retriever.lexical.block import Block, BlockCounter, mapped
from retriever.lexical.formula import PARAMETERS, Formula, Statistics
from retriever.lexical.search import Bm25, Bm25Searcher
from retriever.protocols import Progress, no_progress
from retriever.records import Passage

MANIFEST = "bm25.json"
FORMAT = 3
SMALL, SMALL_TOKENS = 20_000, 5_000_000
"""Passages, and words in all of them, that are counted as Python objects."""

TOKENS_PER_BLOCK, PASSAGES_PER_BLOCK = 20_000_000, 500_000
"""A block is counted in memory, 20 bytes a word."""

ROWS_AT_ONCE = 4096


def bm25_of(
    passages: Sequence[Passage],
    *,
    formula: Bm25Formula = "okapi",
    analyser: Analyser | None = None,
    progress: Progress = no_progress,
) -> Bm25Searcher:
    """A searcher over passages in memory: title and text of each.

    Args:
        passages: the corpus; their ids differ.
        formula: okapi or lucene.
        analyser: cuts texts into words; None: the default one.
        progress: one tick a passage.

    Raises:
        InputError: no passage, or no word in any of them.
    """
    analyser = analyser or Analyser()
    with progress(len(passages), "BM25") as advance:
        blocks = list(_counted(passages, 0, analyser, advance))
    return Bm25Searcher(
        bm25_over(blocks, formula),
        analyser,
        ids_of=lambda rows: [passages[row].id for row in rows.tolist()],
        row_of=lambda id: next((row for row, each in enumerate(passages) if each.id == id), -1),
    )


def bm25_over(blocks: Sequence[Block], formula: Bm25Formula) -> Bm25:
    """What scores all passages of some blocks.

    Raises:
        InputError: there is nothing to find.
    """
    require_words(blocks)
    nothing = [np.empty(0, np.int64)] * len(blocks)
    return Bm25(blocks, nothing, Formula(formula, Statistics.of(blocks, nothing)))


def count_blocks(
    passages: Sequence[Passage], folder: Path, analyser: Analyser, *, passages_sha256: str, progress: Progress
) -> None:
    """Count the words of passages into ``folder/000000`` and so on; a run that was killed goes on after its last whole block.

    Args:
        passages: sliceable.
        folder: made if missing; blocks of other passages or of another analyser in it are deleted.
        analyser: cuts texts into words.
        passages_sha256: of their content.
        progress: one tick a passage.
    """
    made_of = {"format": FORMAT, "passages": passages_sha256, "analyser": analyser.to_json()}
    if folder.is_dir() and not ((folder / MANIFEST).is_file() and read_json(folder / MANIFEST) == made_of):
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    write_json(folder / MANIFEST, made_of)
    there = block_folders(folder)
    start = sum(len(Block.load(each)) for each in there)
    with progress(len(passages), "BM25") as advance:
        advance(start)
        for number, block in enumerate(_counted(passages, start, analyser, advance), start=len(there)):
            with new_folder(folder, f"{number:06d}") as made:
                block.save(made)


def block_folders(folder: Path) -> list[Path]:
    """The whole blocks in a folder, in the order of their rows."""
    return sorted(each for each in folder.iterdir() if each.name.isdecimal())


def _counted(
    passages: Sequence[Passage], start: int, analyser: Analyser, advance: Callable[[int], None]
) -> Iterator[Block]:
    """Blocks from a row on."""

    def words() -> Iterator[list[str]]:
        for first in range(start, len(passages), ROWS_AT_ONCE):
            for each in passages[first : first + ROWS_AT_ONCE]:
                yield analyser(f"{each.title} {each.text}")
                advance(1)

    cut = words()
    first: list[list[str]] = []
    if start < len(passages) <= SMALL:
        tokens = 0
        while tokens <= SMALL_TOKENS and (each := next(cut, None)) is not None:
            first.append(each)
            tokens += len(each)
        if len(first) == len(passages):
            yield _by_rank_bm25(first)
            return
    counter = BlockCounter()
    for each in chain(first, cut):
        counter.add(each)
        if counter.tokens >= TOKENS_PER_BLOCK or len(counter) == PASSAGES_PER_BLOCK:
            yield counter.block()
            counter = BlockCounter()
    if len(counter):
        yield counter.block()


def _by_rank_bm25(words: list[list[str]]) -> Block:
    """A block of all passages, as rank-bm25 counts them.

    Raises:
        RuntimeError: its idf of a word is not what our formula gives, so that one of the two has changed.
    """
    if not any(words):
        return Block.of([], np.empty(0, np.int32), np.zeros(len(words), np.int32))
    okapi = BM25Okapi(words, **asdict(PARAMETERS["okapi"]))
    frequencies: list[dict[str, int]] = okapi.doc_freqs
    vocabulary = list(okapi.idf)
    place = {word: number for number, word in enumerate(vocabulary)}
    ids = np.fromiter(map(place.__getitem__, chain.from_iterable(frequencies)), np.int32)
    counts = np.fromiter(chain.from_iterable(each.values() for each in frequencies), np.int64)
    block = Block.of(vocabulary, np.repeat(ids, counts), np.array(okapi.doc_len, np.int32))
    own = Formula("okapi", Statistics.of([block], [np.empty(0, np.int64)]))
    if not np.allclose(own.idf(hashes_of(vocabulary)), list(okapi.idf.values()), rtol=1e-9, atol=1e-9):
        raise RuntimeError("rank-bm25 gives words another idf than our formula does")
    return block


def require_words(blocks: Sequence[Block]) -> None:
    """Raise InputError when there is nothing to find."""
    count = sum(map(len, blocks))
    if not count:
        raise InputError("no passage to index")
    if not any(block.lengths.any() for block in blocks):
        raise InputError(f"no word to index in {count} passages")


@dataclass(frozen=True)
class Bm25Settings:
    """What an index was built with.

    Attributes:
        formula: okapi or lucene.
        analyser: cuts texts, and questions, into words.
    """

    formula: Bm25Formula
    analyser: Analyser


def save_statistics(folder: Path, settings: Bm25Settings, statistics: Statistics) -> None:
    """Write what a search needs beside the blocks into an existing folder."""
    np.save(folder / "words.npy", statistics.words, allow_pickle=False)
    np.save(folder / "frequencies.npy", statistics.frequencies, allow_pickle=False)
    write_json(
        folder / MANIFEST,
        {
            "format": FORMAT,
            "formula": settings.formula,
            **asdict(PARAMETERS[settings.formula]),
            "analyser": settings.analyser.to_json(),
            "passages": statistics.num_passages,
            "words": statistics.num_words,
        },
    )


def load_statistics(folder: Path) -> tuple[Bm25Settings, Statistics]:
    """Map what ``save_statistics`` wrote.

    Raises:
        InputError: it is not there, of another format or damaged.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise InputError("no BM25 index here", path=folder)
    values = read_json(file)
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(values, dict) or found != FORMAT:
        raise InputError(f"expected BM25 format {FORMAT}, found {found}: build the index again", path=file)
    try:
        analyser = Analyser.from_json(values.get("analyser"))
    except InputError as error:
        raise InputError(error.message, path=file) from None
    words = mapped(folder / "words.npy", np.dtype(np.uint64))
    frequencies = mapped(folder / "frequencies.npy", np.dtype(np.int64))
    return Bm25Settings(values["formula"], analyser), Statistics(
        words, frequencies, values["passages"], values["words"]
    )
