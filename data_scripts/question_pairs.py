"""Docstrings → questions and the passages that answer them: cleaned, cut, without poor or repeated ones."""

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_PASSAGE_WORDS = 100  # as DPR's Wikipedia passages
MIN_CUT_WORDS = 50  # a passage is not cut at a sentence end that would throw half of its words away
MIN_SUMMARY_WORDS, MAX_SUMMARY_WORDS = 4, 40
MIN_BODY_WORDS = 12
MIN_PROSE_WORDS = 10  # distinct lower-case words: fewer are parameter names and types
SHINGLE_WORDS = 8
MAX_JACCARD = 0.7

# A full stop, but not that of an abbreviation, and not before a small letter.
SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)(?<!\bal)"
    r"(?<!\bFig)(?<!\bEq)(?<!\bSec)(?<!\b[Pp]g)(?<!\bpp)(?<!\bNo)"
    r"[.!?][)\"']*(?=\s+[^a-z\s]|\s*$)"
)
SIGNATURE = re.compile(r"^[\w.]+ ?\(.*\)(\s*(->|=|→).*)?:?$")
SECTION = re.compile(
    r"^(parameters|args|arguments|attributes|returns?|yields?|raises|examples?|notes?|see also|references"
    r"|warns|warnings?|usage|inputs?|outputs?|shape|keyword arg(ument)?s|other parameters|methods):?$",
    re.IGNORECASE,
)
MARKUP = (
    (re.compile(r":[a-zA-Z][\w:+-]*:`([^`<]*?)\s*<[^`>]*>`"), r"\1"),  # :ref:`text <target>`
    (re.compile(r":[a-zA-Z][\w:+-]*:`[~!]?\.?([^`]*)`"), r"\1"),  # :func:`~module.name`
    (re.compile(r"\[`[~!]?([^`]*)`\](\([^)]*\))?"), r"\1"),  # [`name`](link)
    (re.compile(r"`+~?([^`]*)`+_*"), r"\1"),
    (re.compile(r"</?(?:Tip|Added|Deprecated|hfoptions?)[^>]*>|\[\[autodoc\]\]"), ""),
    (re.compile(r"(?<!\w)\*\*?(?=[\w(])([^*]*)(?<=[\w.)!])\*\*?(?!\w)"), r"\1"),  # *emphasis*
)
UNDERLINE = re.compile(r"^[-=~^*#+_.`'\s|]+$")
DIRECTIVE = re.compile(
    r"^\.\. (version|index|currentmodule|plot|code|math|autosummary|tabular|image|figure|_)"
)
WORD = re.compile(r"[\"'(]*[A-Za-z][a-z-]*[\"').,:;!?]*")
CODE = (">>>", "...")
POINTER = re.compile(
    r"^(see|alias|deprecated|same as|refer to|todo|internal|wrapper (for|around|of)|equivalent to|like"
    r"|overrid|inherit|implement(s|ation)? (of )?(the )?[\w.]+\.?$|note\b|warning\b|usage\b|example|http)",
    re.IGNORECASE,
)
DEPRECATED = re.compile(
    r"\.\. deprecated::|^\s*\W*deprecated\b|\bis deprecated\b", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class QuestionPair:
    """A docstring's summary as the question, the rest as the passage that answers it, and the dotted name."""

    name: str
    question: str
    text: str


def clean_line(line: str) -> str:
    """One line without roles, back quotes and emphasis, white space collapsed; underlines become empty."""
    if any(mark in line for mark in "`*<["):  # most lines hold none, and there are half a million
        for pattern, replacement in MARKUP:
            line = pattern.sub(replacement, line)
    line = " ".join(line.split())
    return "" if UNDERLINE.match(line) or DIRECTIVE.match(line) else line


def split_docstring(text: str) -> tuple[str, list[str]]:
    """Summary and body of a docstring.

    The summary is the first sentence of the first paragraph, or the whole paragraph where it has no sentence
    end; a signature in front, as wrappers of C code write it, is left out. The body is what follows, cleaned,
    line by line.
    """
    lines = [clean_line(line) for line in inspect.cleandoc(text).splitlines()]
    while lines and (not lines[0] or SIGNATURE.match(lines[0])):
        lines.pop(0)
    end = next((place for place, line in enumerate(lines) if ends_paragraph(line)), len(lines))
    paragraph = " ".join(lines[:end])
    stop = SENTENCE_END.search(paragraph)
    cut = stop.end() if stop else len(paragraph)
    body = [paragraph[cut:].strip(), *lines[end:]]
    return paragraph[:cut].strip(), [line for line in body if line]


def ends_paragraph(line: str) -> bool:
    """Whether a cleaned line cannot belong to the paragraph before it."""
    return not line or bool(SECTION.match(line)) or line.startswith((":param", "@param", *CODE))


def cut_passage(
    lines: Sequence[str], max_words: int = MAX_PASSAGE_WORDS, min_words: int = MIN_CUT_WORDS
) -> str:
    """At most ``max_words`` words, to the last sentence end, else line end, that keeps ``min_words``."""
    words = [word for line in lines for word in line.split()]
    if len(words) <= max_words:
        return " ".join(words)
    line_ends, count = [], 0
    for line in lines:
        count += len(line.split())
        line_ends.append(count)
    text = " ".join(words[: max_words + 1])
    sentence_ends = [text.count(" ", 0, match.end()) + 1 for match in SENTENCE_END.finditer(text)]
    for ends in (sentence_ends, line_ends):
        fitting = [place for place in ends if min_words <= place <= max_words]
        if fitting:
            return " ".join(words[: fitting[-1]])
    return " ".join(words[:max_words])


def split_sentences(text: str) -> list[str]:
    """The sentences of cleaned text, in order; nothing but white space is lost."""
    starts = [0, *(match.end() for match in SENTENCE_END.finditer(text))]
    sentences = (text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True))
    return [sentence for sentence in sentences if sentence]


def normalise(text: str) -> str:
    """Lower-case words with single spaces between them, no punctuation: texts alike in it are the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def make_pair(name: str, docstring: str) -> QuestionPair | str:
    """The question and passage of a docstring, or in words why it gives none."""
    if DEPRECATED.search(docstring):
        return "deprecated"
    question, body = split_docstring(docstring)
    text = cut_passage(body)
    reason = reject_question(name, question) or reject_body(body)
    if reason is None and normalise(question) in normalise(text):
        reason = "passage repeats the question"
    return reason or QuestionPair(name, question, text)


def reject_question(name: str, question: str) -> str | None:
    """Why a summary is no question that a reader could ask, None where it is one."""
    words = question.split()
    if not MIN_SUMMARY_WORDS <= len(words) <= MAX_SUMMARY_WORDS:
        return "summary too short" if len(words) < MIN_SUMMARY_WORDS else "summary too long"
    if not is_prose(question):
        return "summary is mostly code"
    if POINTER.match(question) or question.endswith(":"):
        return "summary points elsewhere"
    parts = name.split(".")
    if len(parts) > 1 and ".".join(parts[-2:]) in question:
        return "summary says its own dotted name"
    return None


def is_prose(text: str) -> bool:
    """Whether at least 6 in 10 of the words are words of a language and not names, numbers or formulas."""
    words = text.split()
    return sum(bool(WORD.fullmatch(word)) for word in words) >= 0.6 * len(words)


def reject_body(lines: Sequence[str]) -> str | None:
    """Why a body tells too little, None where it tells enough; examples in code do not count."""
    words = [
        word
        for line in lines
        if not line.startswith(CODE) and not SECTION.match(line)
        for word in line.split()
    ]
    if len(words) < MIN_BODY_WORDS:
        return "body too short"
    prose = {word.rstrip(".,:;)") for word in words if re.fullmatch(r"\(?[a-z]{2,}[.,:;)]*", word)}
    return "body is names and types" if len(prose) < MIN_PROSE_WORDS else None


def drop_repeated_questions(pairs: Iterable[QuestionPair]) -> list[QuestionPair]:
    """Without every pair whose question is asked by another pair too: it would have several answers."""
    pairs = list(pairs)
    counts = Counter(normalise(pair.question) for pair in pairs)
    return [pair for pair in pairs if counts[normalise(pair.question)] == 1]


def drop_near_duplicates(
    pairs: Iterable[QuestionPair], max_jaccard: float = MAX_JACCARD
) -> list[QuestionPair]:
    """Without pairs whose passage is nearly that of an earlier pair that stayed.

    Two passages are near duplicates where their sets of 8-word shingles have a Jaccard similarity above
    ``max_jaccard``. The test is exact: sets can be that similar only if the
    ``size − ⌈max_jaccard · size⌉ + 1`` rarest shingles of each have one in common (prefix filtering),
    so only those are looked up.
    """
    pairs = list(pairs)
    sets = [shingles(pair.text) for pair in pairs]
    counts = Counter(shingle for each in sets for shingle in each)
    holders: dict[str, list[int]] = {}
    kept = []
    for row, own in enumerate(sets):
        prefix = rarest(own, counts, max_jaccard)
        candidates = {other for shingle in prefix for other in holders.get(shingle, ())}
        if any(jaccard(own, sets[other]) > max_jaccard for other in candidates):
            continue
        kept.append(pairs[row])
        for shingle in prefix:
            holders.setdefault(shingle, []).append(row)
    return kept


def shingles(text: str, size: int = SHINGLE_WORDS) -> frozenset[str]:
    """Every run of ``size`` normalised words; a shorter text is one shingle."""
    words = normalise(text).split()
    return frozenset(" ".join(words[start : start + size]) for start in range(max(1, len(words) - size + 1)))


def rarest(own: frozenset[str], counts: Mapping[str, int], max_jaccard: float) -> list[str]:
    """The shingles of which a near duplicate must share one, in an order that all sets follow."""
    least_shared = -int(-max_jaccard * len(own) // 1)  # shared ≥ J · |A or B| ≥ J · |A|
    return sorted(own, key=lambda shingle: (counts[shingle], shingle))[: len(own) - least_shared + 1]


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Shared elements over all elements of two sets that are not empty."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)
