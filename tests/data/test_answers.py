import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.answers import contains, has_answer, tokenise


def naive_tokens(text):
    """The definition, letter by letter, from the Unicode categories: no regular expression."""
    tokens, inside = [], False
    for letter in unicodedata.normalize("NFD", text):
        category = unicodedata.category(letter)[0]
        if category in "LNM":
            if inside:
                tokens[-1] += letter
            else:
                tokens.append(letter)
        elif category not in "ZC":
            tokens.append(letter)
        inside = category in "LNM"
    return [token.lower() for token in tokens]


def naive_contains(tokens, answer):
    width = len(answer)
    return width > 0 and any(tokens[at : at + width] == answer for at in range(len(tokens) - width + 1))


# Letters that both Unicode tables know, with the troublesome ones more often than chance would have them.
letters = st.characters(max_codepoint=0x2FFF, exclude_categories=("Cn", "Cs")) | st.sampled_from(
    "aAbB éÉΣσςİıß.,-\u0301\u00a0"
)
texts = st.text(letters, max_size=25)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The U.S. won 3-2!", ["the", "u", ".", "s", ".", "won", "3", "-", "2", "!"]),
        ("Café", ["cafe\u0301"]),
        ("don't", ["don", "'", "t"]),
        ("tab\tand\u00a0space\u200b", ["tab", "and", "space"]),
        ("$12,50", ["$", "12", ",", "50"]),
        ("", []),
    ],
)
def test_tokens_are_runs_of_letters_and_single_marks(text, tokens):
    assert tokenise(text) == tokens


@pytest.mark.parametrize(
    ("text", "answers", "found"),
    [
        ("Tirana is in Albania.", ["Iran"], False),
        ("He lives in New York City", ["new york"], True),
        ("He lives in New-York City", ["new york"], False),
        ("York New", ["New York"], False),
        ("The Cafe\u0301", ["Caf\u00e9"], True),
        ("The Cafe", ["Caf\u00e9"], False),
        ("1973 oil crisis", ["1972", "1973"], True),
        ("anything", ["", " ", "\u200b"], False),
        ("anything", [], False),
        ("", ["x"], False),
        ("ΟΔΟΣ", ["οδος"], True),
        ("ΔΣ.Δ", ["ΔΣ"], True),
    ],
)
def test_an_answer_is_a_run_of_whole_tokens(text, answers, found):
    assert has_answer(text, answers) == found


@given(texts)
def test_tokens_are_those_of_the_definition(text):
    assert tokenise(text) == naive_tokens(text)


@given(texts, st.lists(texts, max_size=2), st.integers(0, 24), st.integers(0, 8))
def test_the_fast_search_finds_what_the_definition_finds(text, answers, start, length):
    answers = [*answers, text[start : start + length], text[start : start + length].swapcase()]
    tokens = naive_tokens(text)
    expected = [naive_contains(tokens, naive_tokens(answer)) for answer in answers]
    assert [contains(tokenise(text), tokenise(answer)) for answer in answers] == expected
    assert [has_answer(text, [answer]) for answer in answers] == expected
    assert has_answer(text, answers) == any(expected)
