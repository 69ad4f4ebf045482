"""Near-duplicates: how many runs of words two texts share."""

import re

from retriever.data.letters import RUN, SPACELESS, folded

SIZE = 3
"""Words of a run: two sentences about one thing share words, but few runs of three."""

WORD = re.compile(rf"[{SPACELESS}]|{RUN}")


def shingles(text: str) -> frozenset[str]:
    """The runs of ``SIZE`` words of a text, without case and punctuation; of a shorter text, all of it as one."""
    words = WORD.findall(folded(text))
    if not words:
        return frozenset()
    return frozenset(" ".join(words[at : at + SIZE]) for at in range(max(1, len(words) - SIZE + 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Of the shingles of either text, the share that both have; 0 where there is none."""
    both = len(first & second)
    return both / (len(first) + len(second) - both) if both else 0.0
