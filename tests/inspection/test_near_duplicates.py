import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.shingles import jaccard, shingles
from retriever.inspection.near_duplicates import BLOCK, HeldOut, Match, bands


def compared(held_out, trained, threshold):
    found = HeldOut(threshold)
    for each in held_out:
        found.add(each)
    for place, each in enumerate(trained):
        found.compare(place, each)
    return found.matches()


def varied(seed, count):
    """Sentences of twelve words; every second one is its forerunner with a word more, less or changed."""
    generator = random.Random(seed)
    words = [f"w{number}" for number in range(300)]
    found = []
    for _ in range(count // 2):
        base = generator.choices(words, k=12)
        other = list(base)
        place = generator.randrange(12)
        other[place : place + generator.randrange(2)] = generator.choices(words, k=generator.randrange(3))
        found += [" ".join(base), " ".join(other)]
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_the_matches_are_those_of_comparing_every_pair(threshold):
    texts = varied(0, 400)
    held_out, trained = texts[::2], texts[1::2]
    expected = []
    for number, each in enumerate(held_out):
        alike = [jaccard(shingles(each), shingles(other)) for other in trained]
        best = max(alike)
        if best >= threshold:
            place = alike.index(best)
            expected.append(Match(number, place, trained[place], best, trained[place] == each))
    assert len(expected) > 20
    assert compared(held_out, trained, threshold) == expected


def test_training_texts_come_in_blocks():
    trained = [f"text number {number} of these" for number in range(BLOCK + 10)]
    assert [each.place for each in compared([trained[3], trained[BLOCK + 5]], trained, 0.8)] == [3, BLOCK + 5]


def test_texts_without_words_are_copies_when_their_signs_are_the_same():
    assert compared([":-)", "?!", "→ ←"], ["…", ":-(", " →  ←", "?!", "a :-)"], 0.8) == [
        Match(1, 3, "?!", 1.0, word_for_word=True),
        Match(2, 2, " →  ←", 1.0, word_for_word=True),
    ]


def test_case_and_punctuation_do_not_hide_a_copy_and_texts_without_words_are_no_copies():
    assert compared(["Who wrote it?", "?!"], ["who wrote IT", "…"], 0.8) == [
        Match(0, 0, "who wrote IT", 1.0, word_for_word=True)
    ]


@pytest.mark.parametrize(
    ("held_out", "trained"),
    [("5 + 3?", "5 - 3?"), ("C++", "C#"), ("What is a.b?", "what is a b"), ("x²", "x2"), (".5 m", "5 m")],
)
def test_the_same_words_are_not_yet_the_same_text(held_out, trained):
    assert compared([held_out], [trained], 1.0) == [Match(0, 0, trained, 1.0)]


def test_a_word_for_word_copy_is_told_before_an_earlier_text_of_the_same_words():
    trained = ["Is it 5-3?", "“is it  5+3”", "is it 5+3"]
    assert compared(["Is it 5+3?"], trained, 0.8) == [Match(0, 1, trained[1], 1.0, word_for_word=True)]


@given(st.floats(0.1, 1))
def test_bands_miss_a_pair_at_the_threshold_once_in_ten_thousand_at_most(threshold):
    count, rows = bands(threshold)
    assert count * rows <= 128
    assert (1 - threshold**rows) ** count <= 1e-4
