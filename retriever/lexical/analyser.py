"""Text → words for lexical search; the index stores how, so that queries are cut as the passages were."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from retriever.errors import InputError
from retriever.lexical import stemming
from retriever.lexical.saved_tokenizer import SavedTokenizer
from retriever.lexical.stop_words import ENGLISH, StopWords, languages, stop_words_of
from retriever.lexical.words import words_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stemming:
    """How words are stemmed.

    Attributes:
        language: a Snowball algorithm.
        version: of PyStemmer, when the passages were stemmed.
    """

    language: str
    version: str


@dataclass(frozen=True, slots=True)
class Analyser:
    """Cuts text into words: those of ``words_of``, without stop words, stemmed; or those of a saved tokenizer.

    Stop words go from the passages, too, which makes the index a third smaller, and the average idf that BM25Okapi gives to
    words in more than half of the passages lower.

    Args:
        stop_words: these are dropped, before stemming; None: none.
        stemming: None: words stay as they are.
        tokenizer: cuts in its own way, with neither stop words nor stems.
    """

    stop_words: StopWords | None = ENGLISH
    stemming: Stemming | None = None
    tokenizer: SavedTokenizer | None = None

    def __call__(self, text: str) -> list[str]:
        """The words of a text in order, as often as they occur."""
        if self.tokenizer is not None:
            return [token for _, token in self.tokenizer.pairs(text)]
        return self._stems(self._kept(text))

    def pairs(self, text: str) -> list[tuple[str, str]]:
        """(word as the text has it, in lower case; what is searched for) of each word that ``__call__`` gives."""
        if self.tokenizer is not None:
            return [(written.strip().lower(), token) for written, token in self.tokenizer.pairs(text)]
        words = self._kept(text)
        return list(zip(words, self._stems(words), strict=True))

    def _kept(self, text: str) -> list[str]:
        dropped = self.stop_words.words if self.stop_words else ()
        return [word for word in words_of(text) if word not in dropped]

    def _stems(self, words: list[str]) -> list[str]:
        if self.stemming is None:
            return words
        return stemming.stem(words, self.stemming.language, self.stemming.version)

    def describe(self) -> str:
        """For people."""
        if self.tokenizer is not None:
            return f"tokens of {self.tokenizer.name} (sha256 {self.tokenizer.sha256[:12]})"
        count = f"{self.stop_words.name}, {len(self.stop_words.words)}" if self.stop_words else "none"
        stems = f"{self.stemming.language}, PyStemmer {self.stemming.version}" if self.stemming else "none"
        return f"words in lower case; stop words: {count}; stems: {stems}"

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, for ``from_json``; whole, so that nothing outside the index changes what it finds."""
        stop_words: object = self.stop_words and {
            "name": self.stop_words.name,
            "words": sorted(self.stop_words.words),
        }
        found: dict[str, object] = {
            "stop_words": "english" if self.stop_words == ENGLISH else stop_words,
        }
        if self.stemming is not None:
            found["stemming"] = {"language": self.stemming.language, "version": self.stemming.version}
        if self.tokenizer is not None:
            tokenizer = self.tokenizer
            found["tokenizer"] = {"name": tokenizer.name, "sha256": tokenizer.sha256, "json": tokenizer.json}
        return found

    @classmethod
    def from_json(cls, value: object) -> "Analyser":
        """The analyser that ``to_json`` described.

        Raises:
            InputError: not such an object, or damaged.
        """
        known = {"stop_words", "stemming", "tokenizer"}
        if not isinstance(value, Mapping) or "stop_words" not in value or not set(value) <= known:
            raise InputError(f"expected an analyser as an object with stop_words, got {str(value)[:200]}")
        stems = value.get("stemming")
        return cls(
            _stop_words(value["stop_words"]),
            None if stems is None else Stemming(**_strings("stemming", stems, ("language", "version"))),
            _tokenizer(value.get("tokenizer")),
        )


def analyser_of(
    *, stemmer: str | None = None, stop_words: str | None = None, tokenizer: Path | None = None
) -> Analyser:
    """The analyser of the settings ``bm25_stemmer``, ``bm25_stop_words`` and ``bm25_tokenizer``.

    Args:
        stemmer: a Snowball algorithm; None: no stems.
        stop_words: none, a language or a file; None: english, with a stemmer its language's if there is a list, with a tokenizer none.
        tokenizer: a tokenizer.json, with which the others cannot be.

    Raises:
        InputError: unknown, unreadable, not installed, or not to be had together.
    """
    if tokenizer is not None:
        for name, given in (("bm25_stemmer", stemmer), ("bm25_stop_words", stop_words)):
            if given not in (None, "none"):
                raise InputError(f"{name} is not for the tokens of bm25_tokenizer: leave one of them out")
        return Analyser(None, tokenizer=SavedTokenizer.read(tokenizer))
    if stemmer is None:
        return Analyser(stop_words_of(stop_words or ENGLISH.name))
    stemming.stem([], stemmer, stemming.version())
    if stop_words is None:
        stop_words = {"porter": "english", "dutch_porter": "dutch"}.get(stemmer, stemmer)
        if stop_words not in languages():
            logger.warning("no list of stop words for %s is known: none are dropped", stop_words)
            stop_words = "none"
    return Analyser(stop_words_of(stop_words), Stemming(stemmer, stemming.version()))


def _stop_words(value: object) -> StopWords | None:
    if value is None:
        return None
    if value == "english":
        return ENGLISH
    found = value if isinstance(value, Mapping) else {}
    name, words = found.get("name"), found.get("words")
    if (
        not isinstance(name, str)
        or not isinstance(words, list)
        or not all(isinstance(each, str) for each in words)
    ):
        raise InputError(f"stop_words must be 'english', null or a list of words with a name, got {value!r}")
    return StopWords(name, frozenset(words))


def _strings(name: str, value: object, keys: tuple[str, ...]) -> dict[str, str]:
    """An object of strings with these keys."""
    if (
        not isinstance(value, Mapping)
        or set(value) != set(keys)
        or not all(isinstance(each, str) for each in value.values())
    ):
        raise InputError(f"{name} must be an object of the strings {', '.join(keys)}")
    return dict(value)


def _tokenizer(value: object) -> SavedTokenizer | None:
    if value is None:
        return None
    found = _strings("tokenizer", value, ("name", "sha256", "json"))
    if sha256(found["json"].encode()).hexdigest() != found["sha256"]:
        raise InputError("the saved tokenizer is damaged: its SHA-256 is another")
    return SavedTokenizer(found["name"], found["json"])
