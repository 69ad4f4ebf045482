"""Text → words for lexical search: lower case, letters and digits, English stop words removed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from retriever.errors import InputError

StopWords = Literal["english"] | None

# The 33 words of Lucene's English analyser. Question words (what, who, when) are not among them.
ENGLISH_STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with".split()
)
STOP_WORDS: dict[StopWords, frozenset[str]] = {None: frozenset(), "english": ENGLISH_STOP_WORDS}

# Han and Hiragana are written without spaces: a run of them is a clause, so each character is a word of its own.
_SPACELESS = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff"
_LETTER = rf"[^\W_{_SPACELESS}]"
# Kept as a word, the "s" of possessives would be in about half of the passages of an English corpus, just where the
# idf of BM25Okapi is least steady; so the short English endings go.
_ENDING = rf"(?<=['\u2019])(?:s|t|d|m|ll|re|ve)(?!{_LETTER})"
WORD = re.compile(rf"[{_SPACELESS}]|(?<!{_LETTER})(?!{_ENDING}){_LETTER}+")


@dataclass(frozen=True, slots=True)
class Analyser:
    """Cuts text into words; the index stores it, so that queries are cut as the passages were.

    A word is a run of letters and digits of any length ("vitamin c", "type 2"), after NFKC normalisation and in lower
    case. Other signs separate words, and so does each Han or Hiragana character. What stands behind an apostrophe in
    "nation's", "don't", "they'll" is dropped.

    Args:
        stop_words: "english" drops Lucene's 33 English stop words; None drops nothing.
    """

    stop_words: StopWords = "english"

    def __call__(self, text: str) -> list[str]:
        """The words of a text in order, as often as they occur."""
        stop_words = STOP_WORDS[self.stop_words]
        return [word for word in WORD.findall(normalize("NFKC", text).lower()) if word not in stop_words]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, for ``from_json``."""
        return {"stop_words": self.stop_words}

    @classmethod
    def from_json(cls, value: object) -> "Analyser":
        """The analyser that ``to_json`` described.

        Raises:
            InputError: not an object with one of the known stop word lists.
        """
        if not isinstance(value, Mapping) or set(value) != {"stop_words"}:
            raise InputError(f"expected an analyser as an object with stop_words, got {value!r}")
        stop_words = value["stop_words"]
        if stop_words is not None and stop_words != "english":
            raise InputError(f"stop_words must be 'english' or null, got {stop_words!r}")
        return cls(stop_words)
