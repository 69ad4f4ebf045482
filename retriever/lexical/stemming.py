"""Words → stems, by Snowball's algorithms (PyStemmer; extra ``languages``)."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType

from retriever.errors import InputError

logger = logging.getLogger(__name__)


def algorithms() -> tuple[str, ...]:
    """Languages, and variants for some.

    Raises:
        InputError: PyStemmer is not installed.
    """
    return tuple(_library().algorithms())


def version() -> str:
    """Of PyStemmer.

    Raises:
        InputError: it is not installed.
    """
    return str(_library().version())


def stem(words: Sequence[str], language: str, made_with: str) -> list[str]:
    """The stem of each word.

    Args:
        words: in lower case.
        language: a Snowball algorithm.
        made_with: version of PyStemmer that stemmed the passages; another one is told of, once.

    Raises:
        InputError: PyStemmer is not installed, or does not know the language.
    """
    return _stemmer(language, made_with, threading.get_ident())(words)


@cache
def _stemmer(language: str, made_with: str, thread: int) -> Callable[[Sequence[str]], list[str]]:
    """One a thread: a stemmer has a state."""
    library = _library()
    _tell_if_other(made_with, str(library.version()))
    try:
        found: Callable[[Sequence[str]], list[str]] = library.Stemmer(language).stemWords
    except KeyError:
        known = ", ".join(library.algorithms())
        raise InputError(f"bm25_stemmer must be one of {known}, got '{language}'") from None
    return found


@cache
def _tell_if_other(made_with: str, here: str) -> None:
    if made_with != here:
        logger.warning(
            "the passages were stemmed with PyStemmer %s, questions are with %s: a word whose stem has changed is not found",
            made_with,
            here,
        )


def _library() -> ModuleType:
    try:
        import Stemmer
    except ImportError:
        raise InputError(
            "bm25_stemmer: needs PyStemmer: pip install 'contrastive-text-learning[languages]'"
        ) from None
    return Stemmer
