"""Near-duplicates: how many runs of words two texts share."""

from unicodedata import normalize

import regex

SIZE = 3
"""Words of a run: two sentences about one thing share words, but few runs of three."""

# Han and Hiragana are written without spaces: each character is a word.
_SPACELESS = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff"
# A mark is part of its word: the vowels of Hindi, Tamil and Thai are marks.
WORD = regex.compile(
    rf"[{_SPACELESS}]|[[\p{{L}}\p{{N}}]--[{_SPACELESS}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_SPACELESS}]]*", regex.V1
)


def shingles(text: str) -> frozenset[str]:
    """The runs of ``SIZE`` words of a text, without case and punctuation; of a shorter text, all of it as one."""
    words = WORD.findall(normalize("NFKC", text).lower())
    if not words:
        return frozenset()
    return frozenset(" ".join(words[at : at + SIZE]) for at in range(max(1, len(words) - SIZE + 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Of the shingles of either text, the share that both have; 0 where there is none."""
    both = len(first & second)
    return both / (len(first) + len(second) - both) if both else 0.0
