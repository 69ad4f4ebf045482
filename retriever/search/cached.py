"""Searches that are kept on disk: asked again, they cost a reading, and the searcher is not even opened."""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from retriever.data.files import atomic_file, read_json
from retriever.data.hashes import add_text
from retriever.errors import InputError
from retriever.protocols import Searcher
from retriever.records import Ranking


class CachedSearcher:
    """Ranks as another searcher does, and keeps what it found: a file for each list of questions that is searched at once.

    Args:
        open_searcher: opens the other one, when it is needed.
        folder: of this searcher alone; made if missing.
    """

    def __init__(self, open_searcher: Callable[[], Searcher], folder: Path) -> None:
        self._open, self._folder = open_searcher, folder
        self._searcher: Searcher | None = None

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking per query; another k is another search, as fused and approximate ones differ by it."""
        file = self._folder / f"{_name_of(queries)}-{k}.json"
        if file.is_file():
            return _read(file)
        if self._searcher is None:
            self._searcher = self._open()
        found = self._searcher.search(queries, k)
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as written:
            json.dump([{"ids": each.ids, "scores": each.scores.tolist()} for each in found], written)
        return found


def _name_of(queries: Sequence[str]) -> str:
    digest = sha256()
    for each in queries:
        add_text(digest, each)
    return digest.hexdigest()[:32]


def _read(file: Path) -> list[Ranking]:
    try:
        values: list = read_json(file)  # type: ignore[assignment]  # whatever it is, it is tried
        return [Ranking(each["ids"], each["scores"]) for each in values]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is no cached search ({error}): delete it", path=file) from None
