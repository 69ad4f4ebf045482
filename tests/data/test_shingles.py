from unicodedata import category, normalize

from hypothesis import given
from hypothesis import strategies as st

from retriever.data.shingles import WORD, jaccard, shingles


def spaceless(character):
    return any(first <= character <= last for first, last in ("\u3040\u309f", "\u3400\u4dbf", "\u4e00\u9fff"))


def test_shingles_are_runs_of_three_words_without_case_and_punctuation():
    assert shingles("The cat, the CAT sat.") == {"the cat the", "cat the cat", "the cat sat"}
    assert shingles("Two words") == {"two words"}
    assert shingles(" …!") == frozenset()


def test_each_character_of_a_script_without_spaces_is_a_word():
    assert shingles("東京都庁") == {"東 京 都", "京 都 庁"}


def test_marks_belong_to_their_words():
    assert shingles("दिन क्या है") == {"दिन क्या है"}
    assert shingles("दिन क्या है") != shingles("दीन क्या है")
    assert shingles("I \u2764\ufe0f it_now") == {"i it now"}  # a mark of a sign is no word


@given(st.text(st.characters(exclude_categories=("M", "Cs", "Cn"))))
def test_without_marks_words_are_runs_of_letters_and_digits(text):
    text = "".join(each for each in normalize("NFKC", text).lower() if category(each)[0] != "M")
    spaced = "".join(f" {each} " if spaceless(each) else each if each.isalnum() else " " for each in text)
    assert WORD.findall(text) == spaced.split()


def test_jaccard_of_a_word_changed_in_six():
    first, second = shingles("one two three four five six"), shingles("one two three four five nine")
    assert jaccard(first, second) == 3 / 5


@given(st.text(), st.text())
def test_jaccard_is_symmetric_within_0_and_1_and_1_for_equal_texts_only_with_words(first, second):
    a, b = shingles(first), shingles(second)
    assert 0 <= jaccard(a, b) == jaccard(b, a) <= 1
    assert jaccard(a, a) == bool(a)
