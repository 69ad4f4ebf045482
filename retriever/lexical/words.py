"""Unicode text → words: runs of letters and digits, in lower case."""

import re

from retriever.data.letters import LETTER, RUN, SPACELESS, folded

# Kept as a word, the "s" of possessives would be in about half of the passages of an English corpus, just where the
# idf of BM25Okapi is least steady; so the short English endings go.
_ENDING = rf"(?<=['\u2019])(?:s|t|d|m|ll|re|ve)(?!{LETTER})"
WORD = re.compile(rf"[{SPACELESS}]|(?<!{LETTER})(?!{_ENDING}){RUN}")


def words_of(text: str) -> list[str]:
    """The words of a text in order, as often as they occur.

    A word is a run of letters and digits of any length ("vitamin c", "type 2") with their marks, after NFKC normalisation
    and in lower case. Other signs separate words, and so does each Han or Hiragana character. What stands behind an
    apostrophe in "nation's", "don't", "they'll" is dropped.
    """
    return WORD.findall(folded(text))
