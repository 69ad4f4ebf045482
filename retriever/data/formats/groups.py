"""Rows of the same question brought together on disk, wherever in a file they stand."""

from collections.abc import Iterator
from hashlib import blake2b

from retriever.data.formats.store import temporary_database

_SCHEMA = """
CREATE TABLE string (number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE link (
    number INTEGER PRIMARY KEY, question INTEGER NOT NULL, role INTEGER NOT NULL, value INTEGER NOT NULL,
    UNIQUE (question, role, value)
);
"""
POSITIVE, NEGATIVE, ROW = 0, 1, 2


class Groups:
    """For each question the values of each role, each once, in the order in which they came."""

    def __init__(self) -> None:
        self._database = temporary_database(_SCHEMA)

    def add(self, question: str, role: int, value: str) -> bool:
        """Remember a value; False if it was there already."""
        added = self._database.execute(
            "INSERT OR IGNORE INTO link (question, role, value) VALUES (?, ?, ?)",
            (self._number(question), role, self._number(value)),
        )
        return added.rowcount > 0

    def questions(self) -> Iterator[str]:
        """All questions that have a value."""
        rows = self._database.execute(
            "SELECT text FROM string WHERE number IN (SELECT question FROM link) ORDER BY number"
        )
        for (text,) in rows:
            yield text

    def values(self, question: str, role: int) -> tuple[str, ...]:
        """The values of a question."""
        rows = self._database.execute(
            "SELECT text FROM link JOIN string ON string.number = value "
            "WHERE question = (SELECT number FROM string WHERE digest = ?) AND role = ? ORDER BY link.number",
            (digest_of(question), role),
        )
        return tuple(text for (text,) in rows)

    def _number(self, text: str) -> int:
        digest = digest_of(text)
        found = self._database.execute("SELECT number FROM string WHERE digest = ?", (digest,)).fetchone()
        if found is not None:
            return int(found[0])
        added = self._database.execute("INSERT INTO string (digest, text) VALUES (?, ?)", (digest, text))
        return int(added.lastrowid or 0)


def digest_of(text: str) -> bytes:
    """16 bytes by which texts are told apart."""
    return blake2b(text.encode(), digest_size=16).digest()
