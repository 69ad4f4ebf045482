"""Whether a passage contains an answer, as DPR decides it: the answer's tokens in a row among its tokens.

Tokens as in DPR's evaluation (Karpukhin et al. 2020): NFD, runs of letters, digits and marks, every other
visible character by itself, lower case. Substring search would differ: the answer "Iran" is not in "Tirana".
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from unicodedata import normalize

import regex

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_SIGMA = "\u03a3"
"""Σ, the one letter whose lower case depends on the letters around it."""


def tokenise(text: str) -> list[str]:
    """The text's tokens in lower case."""
    return [token.lower() for token in _TOKEN.findall(normalize("NFD", text))]


def contains(tokens: Sequence[str], answer_tokens: Sequence[str]) -> bool:
    """Whether the answer's tokens stand in a row among the passage's; without tokens they never do."""
    return bool(answer_tokens) and _joined(answer_tokens) in _joined(tokens)


def _joined(tokens: Sequence[str]) -> str:
    # No token holds a space, so a run of whole tokens is a substring, and substring search is fast.
    return f" {' '.join(tokens)} "


@lru_cache(maxsize=65_536)
def _answer_tokens(answer: str) -> tuple[str, ...]:
    # An answer is looked for in a hundred passages, one after the other.
    return tuple(tokenise(answer))


def has_answer(text: str, answers: Iterable[str]) -> bool:
    """Whether the text contains one of the answers.

    A passage that lacks an answer's letters, as most do, is told from that alone, without tokenising it.

    Args:
        text: the passage's text; DPR does not search the title.
        answers: the question's answer strings; empty ones never match.
    """
    decomposed = normalize("NFD", text)
    letters = None if _SIGMA in decomposed else decomposed.lower()
    passage: str | None = None
    for answer in answers:
        tokens = _answer_tokens(answer)
        if not tokens or (letters is not None and not all(token in letters for token in tokens)):
            continue
        if passage is None:
            passage = _joined(tokenise(text))
        if _joined(tokens) in passage:
            return True
    return False
