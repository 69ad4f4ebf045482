import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data import answers as matching
from retriever.data.answers import MATCHERS, has_answer, has_pattern, stopped_patterns, tokenise
from retriever.errors import InputError


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
        # accents: marks belong to the token, composed or not; a bare letter is another token
        ("Beyonc\u00e9 sang", ["Beyonce\u0301"], True),
        ("Beyonce sang", ["Beyonc\u00e9"], False),
        ("\u00c5ngstr\u00f6m", ["a\u030angstro\u0308m"], True),
        ("Malm\u00f6", ["malmo"], False),
        ("S\u00e3o Paulo", ["s\u00e3o paulo"], True),
        ("stra\u00dfe", ["STRASSE"], False),
        ("\u0130stanbul", ["istanbul"], False),
        ("\u0130stanbul", ["i\u0307stanbul"], True),
        ("\ufb01nal", ["final"], False),  # NFD keeps ligatures, as NFKD would not
        ("H\u2082O", ["H2O"], False),
        ("caf\u00e9s", ["caf\u00e9"], False),
        # punctuation: each mark is a token of its own, and must be there
        ("the U.S. army", ["U.S."], True),
        ("the US army", ["U.S."], False),
        ("the U. S. army", ["U.S."], True),
        ("It was 1,000 men", ["1,000"], True),
        ("It was 1000 men", ["1,000"], False),
        ("It was 1 , 000 men", ["1,000"], True),
        ("don\u2019t go", ["don't"], False),
        ("don't go", ["don't"], True),
        ("O'Neill played", ["O Neill"], False),
        ("\u201cYes\u201d, he said", ["yes"], True),
        ("C++ and C#", ["c+"], True),
        ("C++ and C#", ["c#"], True),
        ("AT&T", ["at & t"], True),
        ("$12.50", ["12.50"], True),
        ("(1973)", ["1973"], True),
        ("foo_bar", ["foo _ bar"], True),
        ("100%", ["100"], True),
        # hyphens and dashes: tokens as well, each kind another
        ("well-known man", ["well-known"], True),
        ("well - known man", ["well-known"], True),
        ("well known man", ["well-known"], False),
        ("1914\u20131918", ["1914-1918"], False),
        ("1914\u20131918", ["1918"], True),
        (
            "twenty\u00adone",
            ["twentyone"],
            False,
        ),  # a soft hyphen is a control letter: it parts and is no token
        ("twenty\u00adone", ["twenty one"], True),
        # letters without spaces between are one token: half of a run is not found
        ("\u6771\u4eac\u90fd", ["\u6771\u4eac"], False),
        ("\u6771\u4eac\u90fd\u3002", ["\u6771\u4eac\u90fd"], True),
        ("\u6771\u4eac \u90fd", ["\u6771\u4eac"], True),
        ("\uc11c\uc6b8\uc740", ["\uc11c\uc6b8"], False),
        ("\u30ac\u30b9", ["\u30ab\u3099\u30b9"], True),  # a voiced kana and its parts are one under NFD
        ("\u0939\u093f\u0928\u094d\u0926\u0940", ["\u0939\u093f\u0928\u094d\u0926\u0940"], True),
        # white space of any kind only parts
        ("New\u00a0York\nCity", ["new york city"], True),
        ("zero\u200bwidth", ["zerowidth"], False),
        ("  padded  ", ["padded "], True),
        # emoji are visible, so tokens
        ("win \U0001f3c6 now", ["\U0001f3c6"], True),
        ("win now", ["\U0001f3c6"], False),
        # several answers: one is enough, an empty one never
        ("King Lear", ["", "lear"], True),
        ("King Lear", ["\u200b", " "], False),
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
    assert [has_answer(text, [answer]) for answer in answers] == expected
    assert has_answer(text, answers) == any(expected)


@pytest.mark.parametrize(
    ("text", "patterns", "found"),
    [
        ("In October, 1973", [r"Oct(ober)?,? 1973"], True),
        ("in OCTOBER 1973", [r"oct(ober)?,? 1973"], True),
        ("Octobers 1973", [r"Oct(ober)?,? 1973"], False),
        ("Tirana", ["Iran"], True),  # a pattern may match within a word
        ("Tirana", [r"\bIran\b"], False),
        ("first\nsecond", ["^second$"], True),  # every line has a beginning and an end
        ("first\nsecond", ["first.second"], False),  # and a dot matches none of the ends
        ("Caf\u00e9", ["cafe\u0301"], True),
        ("Cafe\u0301", ["caf\u00e9$"], True),
        ("Malm\u00f6", ["malmo$"], False),
        ("$12", [r"\$12"], True),
        ("a.b", ["a.b"], True),
        ("axb", ["a.b"], True),
        ("anything", [""], False),
        ("anything", [], False),
        ("anything", ["nothing", "thing"], True),
    ],
)
def test_a_pattern_is_searched_as_dpr_searches_it(text, patterns, found):
    assert has_pattern(text, patterns) == found
    assert MATCHERS["regex"](text, patterns) == found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(open", "is no regular expression: missing ) at position 5"),
        ("(" * 3000 + ")" * 3000, "is no regular expression: maximum recursion depth exceeded"),
        ("a(?R)?b", "is a pattern with recursion, which may end the process"),
        ("a(?0)?b", "is a pattern with recursion, which may end the process"),
        ("(a)(?1)", "is a pattern with recursion, which may end the process"),
        ("(?P<x>a(?&x)?)", "is a pattern with recursion, which may end the process"),
        (r"\\(?P<x>a(?P>x)?)", "is a pattern with recursion, which may end the process"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern, reason):
    with pytest.raises(InputError) as error:
        has_pattern("x", [pattern])
    assert str(error.value).startswith(f"answer '{pattern}' {reason}")


@pytest.mark.parametrize("kind", [ValueError, OverflowError, RecursionError, MemoryError])
def test_whatever_compiling_raises_is_bad_input(monkeypatch, kind):
    def compile(pattern, flags):
        raise kind("no")

    monkeypatch.setattr(matching.regex, "compile", compile)
    with pytest.raises(InputError, match="answer 'compiled never' is no regular expression: no"):
        has_pattern("x", ["compiled never"])


def test_groups_that_only_look_like_recursion_are_patterns():
    assert has_pattern("(R) aa", [r"\(R\)"])
    assert has_pattern("aa", [r"(?P<x>a)(?P=x)"])
    assert has_pattern("7R", [r"(\d?R)"])
    assert has_pattern("ab", [r"(a)(?(1)b|c)"])


def test_a_hostile_pattern_is_stopped_told_and_searched_no_more(monkeypatch, caplog):
    monkeypatch.setattr(matching, "PATTERN_SECONDS", 0.05)
    monkeypatch.setattr(matching, "_stopped", set())
    pattern, text = r"(a+)+(\1x)+$", "a" * 5000 + "!"
    assert has_pattern(text, [pattern, "!"])
    assert not has_pattern(
        "aax", [pattern]
    )  # where it would be found: how long another text takes nobody knows
    assert stopped_patterns([pattern, pattern, "!"]) == 1
    assert caplog.messages == [
        f"answer '{pattern}' takes more than 0.05 seconds on a passage of 5001 characters: not found there, and not searched again"
    ]
