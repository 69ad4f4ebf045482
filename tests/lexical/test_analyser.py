import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.errors import InputError
from retriever.lexical.analyser import ENGLISH_STOP_WORDS, Analyser


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Price of Oil rose to $12!", ["price", "oil", "rose", "12"]),
        ("vitamin C, type 2", ["vitamin", "c", "type", "2"]),
        ("the nation's, don't, they\u2019ll", ["nation", "don"]),
        ("O'Neil l'été 'tis", ["o", "neil", "l", "été", "tis"]),
        ("snake_case half-time 3,000", ["snake", "case", "half", "time", "3", "000"]),
        ("cafe\u0301 CAFÉ ﬁne \uff26\uff55ll", ["café", "café", "fine", "full"]),
        ("技術AIの会", ["技", "術", "ai", "の", "会"]),
        ("who was it", ["who"]),
        (" \t\n", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert Analyser()(text) == words


def test_without_stop_words_every_word_stays() -> None:
    assert Analyser(None)("To be or not to be") == ["to", "be", "or", "not", "to", "be"]


def test_there_are_lucenes_33_stop_words() -> None:
    assert len(ENGLISH_STOP_WORDS) == 33


@given(st.text())
def test_words_are_analysed_to_themselves(text: str) -> None:
    words = Analyser(None)(text)
    assert [again for word in words for again in Analyser(None)(word)] == words


@pytest.mark.parametrize("analyser", [Analyser(), Analyser(None)])
def test_json_both_ways(analyser: Analyser) -> None:
    assert Analyser.from_json(analyser.to_json()) == analyser


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"stop_words": "german"}, "stop_words must be 'english' or null, got 'german'"),
        ({"stems": True}, "expected an analyser as an object with stop_words, got {'stems': True}"),
        (None, "expected an analyser as an object with stop_words, got None"),
    ],
)
def test_unknown_json_is_refused(value: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        Analyser.from_json(value)
    assert str(error.value) == message
