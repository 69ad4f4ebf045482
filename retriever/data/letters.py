"""Of what words are made: patterns and folding that BM25 and the search for copies share."""

from unicodedata import category, normalize

SPACELESS = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff"
"""Han and Hiragana, as the inside of a character class; written without spaces, a run of them is a clause, so each is a word."""

LETTER = rf"[^\W_{SPACELESS}]"
"""A letter or digit of any other script."""

# Of the first 65,536 characters: with the rare scripts beyond them, Python's re takes four times as long.
_MARK = f"[{''.join(each for each in map(chr, range(0x10000)) if category(each)[0] == 'M')}]"

RUN = rf"{LETTER}+(?:{_MARK}+{LETTER}*)*"
"""A word: a mark is part of it, as the vowels of Hindi, Tamil and Arabic are."""


def folded(text: str) -> str:
    """A text in NFKC and in lower case, in which a Turkish capital i with a dot is an i, too."""
    return normalize("NFKC", text).lower().replace("i\u0307", "i")
