"""Passages by id on disk: a corpus larger than memory, in which no id has two texts."""

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b

from retriever.records import Passage

_CACHE_KIB = 65_536
_SCHEMA = """
CREATE TABLE passage (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest BLOB NOT NULL, place TEXT NOT NULL,
    title TEXT NOT NULL, text TEXT, used INTEGER NOT NULL DEFAULT 0
)
"""


def temporary_database(schema: str) -> sqlite3.Connection:
    """A database that nobody else sees and that is gone when it is closed; what memory does not hold lies in the temporary folder."""
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    database.executescript(schema)
    database.execute("BEGIN")
    return database


class PassageDatabase:
    """The passages seen so far, in the order in which they came."""

    def __init__(self) -> None:
        self._database = temporary_database(_SCHEMA)

    def close(self) -> None:
        """Give the memory and the disk back."""
        self._database.close()

    def add(self, passage: Passage, place: str, *, keep_text: bool = True, used: bool = False) -> bool:
        """Remember a passage, or, without its text, that there is one.

        Returns:
            Whether it is new.

        Raises:
            ValueError: the id was there with another title or text; the message names the place.
        """
        digest = blake2b(f"{passage.title}\0{passage.text}".encode(), digest_size=16).digest()
        found = self._database.execute(
            "SELECT digest, place FROM passage WHERE id = ?", (passage.id,)
        ).fetchone()
        if found is not None:
            if found[0] != digest:
                raise ValueError(f"passage '{passage.id}' has another title or text than in {found[1]}")
            if used:
                self._mark(passage.id)
            return False
        self._database.execute(
            "INSERT INTO passage (id, digest, place, title, text, used) VALUES (?, ?, ?, ?, ?, ?)",
            (passage.id, digest, place, passage.title, passage.text if keep_text else None, used),
        )
        return True

    def get(self, passage_id: str) -> Passage | None:
        """The passage of an id, which counts as used from now on; None if there is none."""
        found = self._database.execute(
            "SELECT text, title FROM passage WHERE id = ? AND text IS NOT NULL", (passage_id,)
        ).fetchone()
        if found is None:
            return None
        self._mark(passage_id)
        return Passage(passage_id, *found)

    def passages(self) -> Iterator[Passage]:
        """All passages that have a text."""
        rows = self._database.execute(
            "SELECT id, text, title FROM passage WHERE text IS NOT NULL ORDER BY number"
        )
        for row in rows:
            yield Passage(*row)

    def count_unused(self) -> int:
        """How many passages no question named."""
        (count,) = self._database.execute("SELECT count(*) FROM passage WHERE used = 0").fetchone()
        return int(count)

    def _mark(self, passage_id: str) -> None:
        self._database.execute("UPDATE passage SET used = 1 WHERE id = ? AND used = 0", (passage_id,))
