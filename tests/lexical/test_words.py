import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.lexical.words import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Price of Oil: $12!", ["price", "of", "oil", "12"]),
        ("vitamin C, type 2", ["vitamin", "c", "type", "2"]),
        ("nation's, don't, they\u2019ll", ["nation", "don", "they"]),
        ("O'Neil l'été 'tis", ["o", "neil", "l", "été", "tis"]),
        ("snake_case half-time 3,000", ["snake", "case", "half", "time", "3", "000"]),
        ("cafe\u0301 CAFÉ ﬁne \uff26\uff55ll", ["café", "café", "fine", "full"]),
        ("हिन्दी में, தமிழ்", ["हिन्दी", "में", "தமிழ்"]),
        ("\u0645\u064e\u0631\u0652 \u0301a", ["\u0645\u064e\u0631\u0652", "a"]),
        ("\u0130stanbul\u2019s I\u0307zmir", ["istanbul", "izmir"]),
        ("技術AIの会", ["技", "術", "ai", "の", "会"]),
        (" \t\n", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text())
def test_words_are_cut_to_themselves(text: str) -> None:
    words = words_of(text)
    assert [again for word in words for again in words_of(word)] == words
