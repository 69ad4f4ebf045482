"""Lists of stop words: words so frequent that they say nothing of a passage."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from retriever.data.lines import read_lines
from retriever.errors import InputError
from retriever.lexical.words import words_of


@dataclass(frozen=True, slots=True)
class StopWords:
    """A list of them.

    Attributes:
        name: of the list, for people.
        words: as they are in texts that are cut into words.
    """

    name: str
    words: frozenset[str]


# The 33 words of Lucene's English analyser. Question words (what, who, when) are not among them.
ENGLISH = StopWords(
    "english",
    frozenset(
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
        "to was will with".split()
    ),
)


def stop_words_of(name: str) -> StopWords | None:
    """A list by name.

    Args:
        name: none; english: Lucene's 33; another language of the library stop-words; else a file of one word a line.

    Raises:
        InputError: neither, or a line with several words or none; or stop-words is needed and not installed.
    """
    if name == "none":
        return None
    if name == ENGLISH.name:
        return ENGLISH
    if Path(name).is_file():
        return StopWords(Path(name).name, frozenset(_words_in(Path(name))))
    if not name.isalpha():
        raise InputError("no such file", path=Path(name))
    return _of_language(name)


def languages() -> set[str]:
    """Languages that the library stop-words knows.

    Raises:
        InputError: it is not installed.
    """
    return set(_library().AVAILABLE_LANGUAGES)


def _of_language(name: str) -> StopWords:
    if name not in languages():
        known = ", ".join(sorted(languages()))
        raise InputError(f"bm25_stop_words must be none, a file or one of {known}, got '{name}'")
    cut = (words_of(each) for each in _library().get_stop_words(name))
    return StopWords(name, frozenset(words[0] for words in cut if len(words) == 1))  # no phrases


def _library() -> ModuleType:
    try:
        import stop_words
    except ImportError:
        raise InputError(
            "stop words of other languages than English need stop-words: pip install 'contrastive-text-learning[languages]'"
        ) from None
    return stop_words


def _words_in(path: Path) -> set[str]:
    found = set()
    for number, line in read_lines(path):
        if not line.strip():
            continue
        words = words_of(line)
        if len(words) != 1:
            raise InputError(
                f"expected one word, found {len(words)}: {line.strip()!r}", path=path, line=number
            )
        found.add(words[0])
    return found
