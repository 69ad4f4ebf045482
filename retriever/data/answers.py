"""Whether a passage contains an answer, as DPR decides it: the answer's tokens in a row among its tokens, or its pattern somewhere.

Tokens as in DPR's evaluation (Karpukhin et al. 2020): NFD, runs of letters, digits and marks, every other
visible character by itself, lower case. Substring search would differ: the answer "Iran" is not in "Tirana".
Patterns, of CuratedTREC say, are regular expressions: NFD, upper and lower case alike, ``^`` and ``$`` at every line.
One that takes too long on a passage is not found there, and is never searched again; evaluations count such patterns.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from unicodedata import normalize

import regex

from retriever.choices import AnswerMatch
from retriever.errors import InputError

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_FLAGS = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
PATTERN_SECONDS = 5.0
"""For one pattern in one passage, which takes microseconds; a hostile pattern would take years."""
_RECURSION = regex.compile(r"\(\?(?:R|\d|&|P>)")
"""Patterns that call themselves or each other: they can end the process before any time is up."""
_ESCAPE = regex.compile(r"\\.", regex.DOTALL)
_stopped: set[str] = set()
"""Patterns that took too long once, in this process."""

_SIGMA = "\u03a3"
"""Σ, the one letter whose lower case depends on the letters around it."""

logger = logging.getLogger(__name__)


def tokenise(text: str) -> list[str]:
    """The text's tokens in lower case."""
    return [token.lower() for token in _TOKEN.findall(normalize("NFD", text))]


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
        answers: the question's answer strings; those without a token, "" or " ", never match. (In DPR's script they are in every text.)
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


@lru_cache(maxsize=65_536)
def compile_answer(pattern: str) -> "regex.Pattern[str]":
    """An answer that is a regular expression.

    Raises:
        InputError: it is none, which DPR's script finds nowhere, and says nothing; or it calls itself, ``(?R)``, or a group, ``(?1)``.
    """
    if _RECURSION.search(_ESCAPE.sub("_", pattern)):
        raise InputError(f"answer '{pattern}' is a pattern with recursion, which may end the process")
    try:
        return regex.compile(normalize("NFD", pattern), _FLAGS)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise InputError(f"answer '{pattern}' is no regular expression: {error}") from None


def has_pattern(text: str, answers: Iterable[str]) -> bool:
    """Whether one of the answers, each a regular expression, is found in the text.

    A pattern that takes longer than ``PATTERN_SECONDS`` is not found, here and, unsearched, in any later text, which is told once.

    Args:
        text: the passage's text; DPR does not search the title.
        answers: the question's patterns; empty ones never match.

    Raises:
        InputError: as ``compile_answer``.
    """
    decomposed = normalize("NFD", text)
    for answer in answers:
        if not answer or answer in _stopped:
            continue
        try:
            if compile_answer(answer).search(decomposed, timeout=PATTERN_SECONDS):
                return True
        except TimeoutError:
            _stopped.add(answer)
            logger.warning(
                "answer '%s' takes more than %g seconds on a passage of %d characters: not found there, and not searched again",
                answer,
                PATTERN_SECONDS,
                len(text),
            )
    return False


def stopped_patterns(answers: Iterable[str]) -> int:
    """How many different ones of these patterns took too long, and are searched no more."""
    return len(_stopped.intersection(answers))


MATCHERS: dict[AnswerMatch, Callable[[str, Iterable[str]], bool]] = {
    "string": has_answer,
    "regex": has_pattern,
}
