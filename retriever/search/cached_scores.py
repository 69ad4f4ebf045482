"""Scores of a cross-encoder that are kept on disk: mining again with other filters reads only pairs that are new."""

import logging
import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.data.batched import batched
from retriever.data.hashes import add_text
from retriever.errors import InputError
from retriever.records import Passage
from retriever.search.mining import CrossEncoder

_AT_ONCE = 500  # keys a query; SQLite allows 999 everywhere

logger = logging.getLogger(__name__)


class CachedScores:
    """Scores as another cross-encoder does, and keeps each pair's score in one SQLite file.

    Args:
        cross_encoder: the other one, asked for the pairs that are not there.
        file: of this cross-encoder alone; made if missing. A kill leaves what was committed, which is the scores of whole calls. What
            cannot be written, of a full disk say, is told once, and from then on only read.

    Raises:
        InputError: the file is no such cache, or cannot be opened.
    """

    def __init__(self, cross_encoder: CrossEncoder, file: Path) -> None:
        self._cross_encoder, self._file, self._full = cross_encoder, file, False
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file)
            with self._database as database:
                database.execute("CREATE TABLE IF NOT EXISTS scores (pair BLOB PRIMARY KEY, score REAL)")
            columns = [name for _, name, *_ in self._database.execute("PRAGMA table_info(scores)")]
        except sqlite3.OperationalError as error:  # permission, space, a lock: the scores in it may be good
            raise InputError(f"the cache of scores cannot be opened: {error}", path=file) from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"holds no cached scores ({error}): delete it", path=file) from None
        except OSError as error:
            raise InputError(f"the cache of scores cannot be made: {error.strerror}", path=file) from None
        if columns != ["pair", "score"]:
            raise InputError(f"holds no cached scores (columns {', '.join(columns)}): delete it", path=file)

    def __call__(self, pairs: Sequence[tuple[str, Passage]]) -> NDArray[np.float32]:
        """(N,) scores between 0 and 1 of question and passage."""
        keys = [_key_of(*pair) for pair in pairs]
        known = self._known(keys)
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
        if new:
            scores = self._cross_encoder(list(new.values())).tolist()
            rows = list(zip(new, scores, strict=True))
            self._keep(rows)
            known.update(rows)
        return np.array([known[key] for key in keys], np.float32)

    def _keep(self, rows: list[tuple[bytes, float]]) -> None:
        if self._full:
            return
        try:
            with self._database as database:
                database.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows)
        except sqlite3.OperationalError as error:
            self._full = True
            logger.warning("%s: scores are not cached any more: %s", self._file, error)

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        found: dict[bytes, float] = {}
        for asked in batched(keys, _AT_ONCE):
            places = ",".join("?" * len(asked))
            found.update(
                self._database.execute(f"SELECT pair, score FROM scores WHERE pair IN ({places})", asked)
            )
        return found


def _key_of(question: str, passage: Passage) -> bytes:
    digest = blake2b(digest_size=16)
    for each in (question, passage.title, passage.text):
        add_text(digest, each)
    return digest.digest()
