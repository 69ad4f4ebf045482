"""Slices of a retrieval result: on which questions a search does well, and on which it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from retriever.evaluation.bootstrap import mean_intervals
from retriever.lexical.analyser import Analyser
from retriever.records import Passage

UNKNOWN = "not known"
"""The group of questions for which a slice is not defined: their gold passage is not in the corpus, or they have no words."""

MEANINGS = {
    "all": "all questions that are judged",
    "question_words": "words of the question",
    "first_word": "its first word",
    "overlap": "share of the question's different words, English stop words aside, in its gold passage or the title",
    "passage_words": "words of the gold passage, without the title",
    "passage_cut": "whether the model reads all of the gold passage",
}
"""Slice → what it is by."""

_all_words = Analyser(stop_words=None)
_content_words = Analyser()


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the questions.

    Attributes:
        label: what they share.
        rows: which they are, rising.
        low: least value of theirs, where the slice is by a number.
        high: largest value.
    """

    label: str
    rows: NDArray[np.int64]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Groups that hold every question once.

    Attributes:
        name: of ``MEANINGS``.
        groups: in the order of their values, or the most frequent first; ``UNKNOWN`` last.
        merged: bins, or first words, that had too few questions and were put together with others.
    """

    name: str
    groups: tuple[Group, ...]
    merged: int = 0


def slices_of(
    questions: Sequence[str],
    gold: Sequence[Passage | None],
    cut: Sequence[bool | None] | None = None,
    *,
    bins: int = 4,
    least: int = 30,
) -> list[Slice]:
    """Every slice of some questions.

    Args:
        questions: their texts.
        gold: the gold passage of each; None where there is none.
        cut: whether the model cuts the gold passage; None: it is not asked.
        bins: of slices by a number, of about as many questions each.
        least: questions in a group; smaller ones are merged. A first word also has at least 1 % of the questions.

    Raises:
        ValueError: not one gold passage, or None, for each question.
    """
    if len(gold) != len(questions) or (cut is not None and len(cut) != len(questions)):
        raise ValueError(f"{len(gold)} gold passages for {len(questions)} questions")
    words = [_all_words(text) for text in questions]
    numbers: dict[str, Sequence[float | None]] = {
        "question_words": [len(each) for each in words],
        "overlap": [_overlap(text, passage) for text, passage in zip(questions, gold, strict=True)],
        "passage_words": [None if each is None else _words_of(each)[0] for each in gold],
    }
    by_number = {name: by_quantile(name, values, bins, least) for name, values in numbers.items()}
    enough = max(least, len(questions) // 100)  # else a million questions have thousands of groups
    first = by_label("first_word", [each[0] if each else None for each in words], enough)
    slices = [
        Slice("all", (Group("", np.arange(len(questions))),)),
        by_number["question_words"],
        first,
        by_number["overlap"],
        by_number["passage_words"],
    ]
    if cut is not None:
        labels = [None if each is None else "cut" if each else "whole" for each in cut]
        slices.append(by_label("passage_cut", labels, 1))
    return slices


def _overlap(question: str, passage: Passage | None) -> float | None:
    asked = set(_content_words(question))
    return None if passage is None or not asked else len(asked & _words_of(passage)[1]) / len(asked)


@lru_cache(maxsize=4096)
def _words_of(passage: Passage) -> tuple[int, frozenset[str]]:
    # Many questions have the same gold passage, and stand together.
    return len(_all_words(passage.text)), frozenset(_content_words(f"{passage.title} {passage.text}"))


def by_quantile(name: str, values: Sequence[float | None], bins: int, least: int) -> Slice:
    """Bins of about as many questions each. Equal values are never parted, so bins differ in size, and there may be fewer.

    A value goes into the bin in which the middle of its ties comes. Then the smallest bin, while it has fewer than ``least``
    questions, is joined to the smaller of its neighbours.
    """
    numbers = np.array([np.nan if each is None else each for each in values], dtype=np.float64)
    known = np.flatnonzero(~np.isnan(numbers))
    _, inverse, counts = np.unique(numbers[known], return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / max(len(known), 1)  # of each different value, between 0 and 1
    bin_of = np.floor(middle * bins).astype(np.int64)
    parts = [known[bin_of[inverse] == each] for each in np.unique(bin_of)]
    before = len(parts)
    while len(parts) > 1 and min(map(len, parts)) < least:
        place = min(range(len(parts)), key=lambda each: len(parts[each]))
        sides = [each for each in (place - 1, place + 1) if 0 <= each < len(parts)]
        other = min(sides, key=lambda each: len(parts[each]))
        start = min(place, other)
        parts[start : start + 2] = [np.sort(np.concatenate(parts[start : start + 2]))]
    counted = all(isinstance(each, int | None) for each in values)
    groups = [_number_group(numbers, rows, "{:.0f}" if counted else "{:.2f}") for rows in parts]
    return Slice(name, (*groups, *_unknown(np.flatnonzero(np.isnan(numbers)))), before - len(parts))


def _number_group(numbers: NDArray[np.float64], rows: NDArray[np.int64], form: str) -> Group:
    low, high = float(numbers[rows].min()), float(numbers[rows].max())
    label = form.format(low) if low == high else f"{form.format(low)}–{form.format(high)}"
    return Group(label, rows, low, high)


def by_label(name: str, labels: Sequence[str | None], least: int) -> Slice:
    """A group a label, the most frequent first; labels of fewer than ``least`` questions are one group, "others (N)"."""
    rows: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    unknown = rows.pop(None, [])
    frequent = sorted(rows.items(), key=lambda each: -len(each[1]))
    groups = [Group(str(label), np.array(own)) for label, own in frequent if len(own) >= least]
    rare = [own for _, own in frequent if len(own) < least]
    if rare:
        groups.append(Group(f"others ({len(rare)})", np.sort(np.concatenate(rare))))
    return Slice(name, (*groups, *_unknown(np.array(unknown, dtype=np.int64))), len(rare))


def _unknown(rows: NDArray[np.int64]) -> tuple[Group, ...]:
    return (Group(UNKNOWN, rows),) if len(rows) else ()


Interval = tuple[float, float, float]
"""A mean, and the ends of its 95 % bootstrap interval over the questions of the group."""


def score_group(group: Group, per_query: Mapping[str, NDArray[np.float64]]) -> dict[str, Interval]:
    """Metric → mean over a group's questions with its interval.

    Args:
        group: not empty.
        per_query: metric → (Q,) values, as ``RetrievalResult`` has them.
    """
    values = np.stack([each[group.rows] for each in per_query.values()], axis=1)  # (n, metrics)
    ends = zip(values.mean(axis=0).tolist(), *(each.tolist() for each in mean_intervals(values)), strict=True)
    return dict(zip(per_query, ends, strict=True))


@dataclass(frozen=True, slots=True)
class Contrast:
    """How many questions of a group two searches answer: both, one of them alone, or neither; and by how much the first is better."""

    both: int
    first_only: int
    second_only: int
    neither: int
    difference: Interval


def contrast_group(group: Group, first: NDArray[np.float64], second: NDArray[np.float64]) -> Contrast:
    """Compare two searches on a group's questions.

    Args:
        group: not empty.
        first: (Q,) 1 where the first search finds the question's passage, else 0.
        second: (Q,) of the second.
    """
    one, other = first[group.rows] > 0, second[group.rows] > 0
    difference = one.astype(np.float64) - other
    low, high = mean_intervals(difference[:, None])
    return Contrast(
        both=int(np.count_nonzero(one & other)),
        first_only=int(np.count_nonzero(one & ~other)),
        second_only=int(np.count_nonzero(other & ~one)),
        neither=int(np.count_nonzero(~one & ~other)),
        difference=(float(difference.mean()), float(low[0]), float(high[0])),
    )


def clearest(
    finds: NDArray[np.float64], misses: NDArray[np.float64], reciprocal_rank: NDArray[np.float64], count: int
) -> list[int]:
    """Rows of questions that one search finds and another misses, those that it ranks highest first; ties in random order, always the same.

    Args:
        finds: (Q,) 1 where the one finds.
        misses: (Q,) 0 where the other misses.
        reciprocal_rank: (Q,) of the one.
        count: at most so many.
    """
    rows = np.flatnonzero((finds > 0) & ~(misses > 0))
    shuffled = np.random.default_rng(0).permutation(rows)
    order = np.argsort(-reciprocal_rank[shuffled], kind="stable")
    found: list[int] = shuffled[order][:count].tolist()
    return found
