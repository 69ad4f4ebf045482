"""Searches that are kept on disk: asked again, they cost a reading, and the searcher is not even opened."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from retriever.data.files import read_json, write_json
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
        """One ranking per query; a search that went deeper before serves, too."""
        file = self._folder / f"{_name_of(queries)}.json"
        if file.is_file():
            depth, rankings = _read(file)
            if depth >= k:
                return [each.head(k) for each in rankings]
        if self._searcher is None:
            self._searcher = self._open()
        found = self._searcher.search(queries, k)
        self._folder.mkdir(parents=True, exist_ok=True)
        rows = [{"ids": each.ids, "scores": each.scores.tolist()} for each in found]
        write_json(file, {"depth": k, "rankings": rows})
        return found


def _name_of(queries: Sequence[str]) -> str:
    digest = sha256()
    for each in queries:
        encoded = each.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:32]


def _read(file: Path) -> tuple[int, list[Ranking]]:
    try:
        values: dict = read_json(file)  # type: ignore[assignment]  # whatever it is, it is tried
        return int(values["depth"]), [Ranking(each["ids"], each["scores"]) for each in values["rankings"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is no cached search ({error}): delete it", path=file) from None
