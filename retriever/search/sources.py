"""What mining searches with, opened by name; what it is made of is kept in a cache folder.

CACHE/passages/         the corpus, mapped
CACHE/bm25/             its words, counted in blocks
CACHE/index-HASH/       its vectors by a model, an index folder like any other
CACHE/searches/HASH/    what a searcher found
CACHE/scores/           what a cross-encoder gave each pair of question and passage
"""

import json
import logging
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np

from retriever.choices import SearchMode
from retriever.config.mining import BM25, MineConfig
from retriever.data.corpus import read_passages
from retriever.data.files import file_sha256, read_json, write_json
from retriever.data.folders import replaced_folder
from retriever.errors import InputError
from retriever.index.layout import CURRENT, current_generation, read_manifest
from retriever.index.opened import OpenIndex
from retriever.index.passage_store import PassageStore, Recent, write_passage_store
from retriever.lexical.analyser import analyser_of
from retriever.lexical.block import Block
from retriever.lexical.bm25 import FORMAT, block_folders, bm25_over, count_blocks
from retriever.lexical.search import Bm25Searcher
from retriever.protocols import Progress, Searcher
from retriever.records import Passage
from retriever.search.cached import CachedSearcher
from retriever.search.fusion import FUSION
from retriever.search.mining import Source

if TYPE_CHECKING:
    from retriever.encoding.dual_encoder import DualEncoder

logger = logging.getLogger(__name__)

MADE_OF = "made_of.json"
COMPARED = 100
"""Passages of an index that are compared with those of ``--passages``: another corpus may have the same ids."""


class Sources:
    """Opens the searchers of a config.

    Args:
        config: names them.
        cache: the folder where everything is kept.
        progress: opens progress displays.

    Attributes:
        passages: id → passage, of the corpus.

    Raises:
        InputError: anything wrong with the corpus.
    """

    def __init__(self, config: MineConfig, cache: Path, progress: Progress) -> None:
        self._config, self._cache, self._progress = config, cache, progress
        self._analyser = analyser_of(
            stemmer=config.bm25_stemmer,
            stop_words=config.bm25_stop_words,
            tokenizer=config.bm25_tokenizer,
        )
        self._sha256 = "" if config.passages is None else self._stored(config.passages)
        self._store = None if config.passages is None else PassageStore(cache / "passages")
        self.passages = Recent(self._opened_index() if self._store is None else self._store)

    def open(self) -> list[Source]:
        """The searchers in the order of the config.

        Raises:
            InputError: one that is neither ``bm25`` nor an index nor a model, or an index without BM25 that is asked for.
        """
        names = self._config.searchers()
        shares = self._config.share or (1.0,) * len(names)
        return [Source(name, self._searcher(name), share) for name, share in zip(names, shares, strict=True)]

    def _searcher(self, name: str) -> Searcher:
        if name == BM25:
            return self._bm25()
        path, mode = index_and_mode(name)
        if not (path / CURRENT).is_file():
            return self._index(self._encoded(name), mode)
        require_same_passages(OpenIndex.open(path), self.passages)
        return self._index(path, mode)

    def _opened_index(self) -> OpenIndex:
        """The first index among the searchers, whose passages are the corpus."""
        paths = (index_and_mode(name)[0] for name in self._config.searchers())
        return OpenIndex.open(next(each for each in paths if (each / CURRENT).is_file()))

    def _stored(self, file: Path) -> str:
        """Write the corpus into the cache, unless it is there; → SHA-256 of its content."""
        folder = self._cache / "passages"
        source = file_sha256(file) if file.is_file() else None  # a data set of a hub is read again
        made_of = read_json(folder / MADE_OF) if (folder / MADE_OF).is_file() else None
        if isinstance(made_of, dict) and source is not None and made_of.get("source") == source:
            return str(made_of["passages"])
        self._cache.mkdir(parents=True, exist_ok=True)
        with replaced_folder(folder) as new:
            content = write_passage_store(new, read_passages(file))
            write_json(new / MADE_OF, {"source": source, "passages": content})
        return content

    def _bm25(self) -> Searcher:
        store, folder, config = cast(PassageStore, self._store), self._cache / BM25, self._config
        formula, analyser = config.bm25_formula, self._analyser
        count_blocks(store.table, folder, analyser, passages_sha256=self._sha256, progress=self._progress)

        def opened() -> Searcher:
            blocks = [Block.load(each) for each in block_folders(folder)]
            return Bm25Searcher(bm25_over(blocks, formula), analyser, store.ids_of, store.row_of)

        return CachedSearcher(opened, self._searches(BM25, FORMAT, formula, analyser.to_json(), self._sha256))

    def _index(self, path: Path, mode: SearchMode) -> Searcher:
        config = self._config

        def opened() -> Searcher:
            from retriever.search.open import open_searcher  # with torch

            return open_searcher(path, mode=mode, device=config.device, precision=config.precision)

        manifest = current_generation(path).manifest_sha256
        fusion = FUSION.describe() if mode == "hybrid" else ""  # of an index that was not tuned
        return CachedSearcher(opened, self._searches(manifest, mode, config.device, config.precision, fusion))

    def _encoded(self, model: str) -> Path:
        """The corpus as an index of a model, encoded unless the cache has it."""
        from retriever.config.index import IndexConfig
        from retriever.index.build import build_index
        from retriever.index.workers import PassageModel

        folder = self._cache / f"index-{_hash(model)}"
        index = IndexConfig(
            passages=cast(Path, self._config.passages),
            model=model,
            output=folder,
            device=self._config.device,
            precision=self._config.precision,
        )
        if (folder / CURRENT).is_file():
            if self._made_with(PassageModel.of(index).load(), folder):
                return folder
            logger.info("%s is another model now, or the passages are others: they are encoded again", model)
            shutil.rmtree(folder)
        return build_index(index, progress=self._progress)

    def _made_with(self, model: "DualEncoder", folder: Path) -> bool:
        """Whether an index in the cache is what would be made now."""
        try:
            manifest = read_manifest(folder)
        except InputError:  # a kill while it was deleted, or another format: it can be made again
            return False
        passage = model.passage
        return (
            model.fingerprint == manifest.model.fingerprint
            and [each.passages_sha256 for each in manifest.segments] == [self._sha256]
            and passage.precision == manifest.precision
            and passage.settings.passage_format == manifest.passage_format
            and passage.settings.max_length == manifest.max_length
        )

    def _searches(self, *made_of: object) -> Path:
        return self._cache / "searches" / _hash(json.dumps(made_of))


def index_and_mode(name: str) -> tuple[Path, SearchMode]:
    """``INDEX@hybrid`` → its folder and mode; without a mode dense."""
    path, at, mode = name.rpartition("@")
    if at and mode in get_args(SearchMode):
        return Path(path), cast(SearchMode, mode)
    return Path(name), "dense"


def require_searchers(config: MineConfig) -> None:
    """Check, before long work, that every searcher is there.

    Raises:
        InputError: one is neither ``bm25`` nor an index nor a model, or needs passages that are not given.
    """
    from retriever.encoding.locate import locate_model  # with torch

    for name in config.searchers():
        path, mode = index_and_mode(name)
        if name == BM25 or (path / CURRENT).is_file():
            continue
        if mode != "dense":
            raise InputError("there is no index", path=path)
        if config.passages is None:
            raise InputError(f"passages is required: --searcher {name} is no index")
        locate_model(name)


def require_same_passages(index: OpenIndex, passages: Mapping[str, Passage]) -> None:
    """Raise InputError when an index holds other passages than a corpus, as far as a sample of them tells."""
    rows = np.unique(np.linspace(0, index.num_rows - 1, COMPARED).astype(np.int64))
    for each in index.ids_of(rows[~index.is_removed(rows)]):
        if passages.get(each) != index[each]:
            raise InputError(f"its passage '{each}' is not that of the corpus that is mined", path=index.path)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
