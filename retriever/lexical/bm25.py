"""BM25 with exactly the scores of ``rank_bm25.BM25Okapi``, from memory-mapped postings.

BM25Okapi itself counts the words and decides every idf, once, when the index is built. Its own search walks over all
passages in Python for every query; here a query adds up one column of weights per word.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from rank_bm25 import BM25Okapi

from retriever.data.files import read_json, write_json
from retriever.errors import InputError
from retriever.lexical.analyser import Analyser
from retriever.lexical.postings import Postings
from retriever.protocols import Progress, no_progress
from retriever.records import Passage, Ranking

MANIFEST, WORDS, IDS = "bm25.json", "words.json", "ids.json"
FORMAT = 1
# rank-bm25's own defaults. ε: a word in more than half of the passages gets ε times the average idf.
PARAMETERS = {"k1": 1.5, "b": 0.75, "epsilon": 0.25}


def build_bm25(passages: Iterable[Passage], folder: Path, *, progress: Progress = no_progress) -> int:
    """Index the title and text of a stream of passages.

    Word counts of all passages are in memory while this runs (about 5 KB for a passage of 100 words), their texts are not.

    Args:
        passages: the corpus; ids must be unique.
        folder: an existing folder; an index that it holds is overwritten.
        progress: advanced by one for each passage.

    Returns:
        The number of passages.

    Raises:
        InputError: no passage, no word in any of them, or an id that occurs twice.
    """
    analyser = Analyser()
    one_each: dict[str, str] = {}  # the passages share one string per word, which halves the memory
    ids: dict[str, None] = {}  # ordered, and knows its members
    with progress(None, "BM25") as advance:

        def analysed() -> Iterator[list[str]]:
            for passage in passages:
                if passage.id in ids:
                    raise InputError(f"passage id '{passage.id}' occurs twice")
                ids[passage.id] = None
                yield [
                    one_each.setdefault(word, word) for word in analyser(f"{passage.title} {passage.text}")
                ]
                advance(1)

        try:
            statistics = BM25Okapi(analysed(), **PARAMETERS)
        except ZeroDivisionError:  # its averages over passages and over words
            what = f"no word to index in {len(ids)} passages" if ids else "no passage to index"
            raise InputError(what) from None
    (folder / MANIFEST).unlink(missing_ok=True)  # written last: an index with a manifest is whole
    _postings(statistics).save(folder)
    write_json(folder / WORDS, list(statistics.idf))
    write_json(folder / IDS, list(ids))
    counts = {"passages": len(ids), "words": len(statistics.idf)}
    write_json(folder / MANIFEST, {"format": FORMAT, **counts, "analyser": analyser.to_json(), **PARAMETERS})
    return len(ids)


def _postings(statistics: BM25Okapi) -> Postings:
    """Every score that BM25Okapi gives a word in a passage, computed in float64 in its order of operations."""
    frequencies: list[dict[str, int]] = statistics.doc_freqs
    word_row = {word: row for row, word in enumerate(statistics.idf)}
    idf = np.fromiter(statistics.idf.values(), np.float64, len(word_row))  # (words,)
    distinct = np.fromiter(map(len, frequencies), np.int64, len(frequencies))  # (passages,)
    total = int(distinct.sum())
    words = np.fromiter((word_row[word] for each in frequencies for word in each), np.int32, total)
    counts = np.fromiter((count for each in frequencies for count in each.values()), np.int32, total)
    rows = np.repeat(np.arange(len(frequencies), dtype=np.int32), distinct)
    k1, b = statistics.k1, statistics.b
    norms = k1 * (1 - b + b * np.asarray(statistics.doc_len) / statistics.avgdl)  # (passages,)
    weights = idf[words] * (counts * (k1 + 1) / (counts + norms[rows]))
    return Postings.from_triples(words, rows, weights.astype(np.float32), (len(word_row), len(frequencies)))


class Bm25Searcher:
    """Ranks passages by BM25; a passage that shares no word with the query is not in its ranking.

    Scores are sums of float32 weights in float64. In a corpus of a few passages they can be 0 or below, as BM25Okapi's
    can: a word in half of the passages or more has an idf that is not positive. Equal scores rank by order in the corpus.
    """

    def __init__(
        self, ids: Sequence[str], words: Iterable[str], postings: Postings, analyser: Analyser
    ) -> None:
        self._ids = ids
        self._word_row = {word: row for row, word in enumerate(words)}
        self._postings = postings
        self._analyser = analyser

    @classmethod
    def load(cls, folder: Path) -> "Bm25Searcher":
        """Open what ``build_bm25`` wrote; the postings stay on disk and are memory-mapped.

        Raises:
            InputError: no BM25 index in the folder, of another format version, or damaged.
        """
        if not (folder / MANIFEST).is_file():
            raise InputError("no BM25 index here", path=folder)
        manifest = read_json(folder / MANIFEST)
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            found = manifest.get("format") if isinstance(manifest, dict) else None
            raise InputError(f"expected BM25 format {FORMAT}, found {found}", path=folder / MANIFEST)
        try:
            analyser = Analyser.from_json(manifest.get("analyser"))
        except InputError as error:
            raise InputError(error.message, path=folder / MANIFEST) from None
        words = _strings(folder / WORDS, manifest.get("words"))
        ids = _strings(folder / IDS, manifest.get("passages"))
        return cls(ids, words, Postings.load(folder, (len(words), len(ids))), analyser)

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking per query: the best k passages of those that share a word with it."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        return [self._search_one(query, k) for query in queries]

    def _search_one(self, query: str, k: int) -> Ranking:
        word_row = self._word_row
        terms = [word_row[word] for word in self._analyser(query) if word in word_row]
        if not terms:
            return Ranking((), ())
        rows, scores = self._postings.best(terms, k)
        return Ranking([self._ids[row] for row in rows.tolist()], scores)


def _strings(path: Path, count: object) -> list[str]:
    """A JSON list of so many strings."""
    values = read_json(path)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError("expected a JSON list of strings", path=path)
    if len(values) != count:
        raise InputError(f"expected {count} entries, found {len(values)}", path=path)
    return values
