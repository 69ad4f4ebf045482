import json
import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from retriever.errors import InputError
from retriever.lexical import analyser as module
from retriever.lexical import stemming
from retriever.lexical.analyser import Analyser, Stemming, analyser_of
from retriever.lexical.saved_tokenizer import SavedTokenizer
from retriever.lexical.stop_words import ENGLISH, StopWords

GERMAN = StopWords("german", frozenset(["der", "und"]))


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """Greedy pieces of Thai words, as a file with truncation and padding, neither of which may happen."""
    pieces = ["[UNK]", "ราคา", "น้ำมัน", "แพง", "oil", "##s", ","]
    made = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split("น้ำมัน", "isolated")]
    )
    made.enable_truncation(2)
    made.enable_padding(length=9)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_stop_words_are_dropped() -> None:
    assert Analyser()("The Price of Oil rose to $12!") == ["price", "oil", "rose", "12"]
    assert Analyser(GERMAN)("Der Preis und the oil") == ["preis", "the", "oil"]
    assert Analyser(None)("To be or not to be") == ["to", "be", "or", "not", "to", "be"]


def test_stop_words_are_dropped_before_stems_are_made() -> None:
    analyser = analyser_of(stemmer="english")
    assert analyser("Prices of oils were rising, thises") == ["price", "oil", "were", "rise", "thise"]
    assert analyser.pairs("Prices of oils") == [("prices", "price"), ("oils", "oil")]


def test_a_tokenizer_cuts_languages_without_spaces(tokenizer: Path) -> None:
    analyser = analyser_of(tokenizer=tokenizer)
    assert analyser("ราคาน้ำมัน, OILS oil แพง") == ["ราคา", "น้ำมัน", "oil", "##s", "oil", "แพง"]
    assert analyser("Qatar und Iran") == ["qatar", "und", "iran"]  # unknown words are not all the same
    assert analyser.pairs("Oils Qatar")[1:] == [("s", "##s"), ("qatar", "qatar")]


def test_the_stop_words_are_the_stemmers_language() -> None:
    german = analyser_of(stemmer="german")
    assert german("Die Preise der Häuser") == ["preis", "haus"]
    assert analyser_of(stemmer="german", stop_words="none")("Die Preise") == ["die", "preis"]
    assert analyser_of(stemmer="porter").stop_words == analyser_of().stop_words == ENGLISH


def test_a_stemmer_without_stop_words_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert analyser_of(stemmer="basque").stop_words is None
    assert caplog.messages == ["no list of stop words for basque is known: none are dropped"]


def test_another_version_of_the_stemmer_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert Analyser(None, Stemming("english", "0.9"))("prices") == ["price"]
    assert caplog.messages == [
        f"the passages were stemmed with PyStemmer 0.9, questions are with {stemming.version()}: a word whose stem has changed "
        "is not found"
    ]
    caplog.clear()
    assert analyser_of(stemmer="english")("prices") == ["price"]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def made_analysers(tokenizer: Path) -> list[Analyser]:
    return [
        Analyser(),
        Analyser(None),
        Analyser(GERMAN),
        analyser_of(stemmer="german"),
        analyser_of(tokenizer=tokenizer),
    ]


def test_json_both_ways(tokenizer: Path) -> None:
    for analyser in made_analysers(tokenizer):
        text = json.dumps(analyser.to_json())
        assert Analyser.from_json(json.loads(text)) == analyser
    assert Analyser().to_json() == {"stop_words": "english"}  # as indexes have had it from the start
    assert Analyser(None).to_json() == {"stop_words": None}


def test_descriptions(tokenizer: Path) -> None:
    sha256 = SavedTokenizer.read(tokenizer).sha256[:12]
    assert [each.describe() for each in made_analysers(tokenizer)] == [
        "words in lower case; stop words: english, 33; stems: none",
        "words in lower case; stop words: none; stems: none",
        "words in lower case; stop words: german, 2; stems: none",
        f"words in lower case; stop words: german, {len(analyser_of(stop_words='german').stop_words.words)}; stems: german, "
        f"PyStemmer {stemming.version()}",
        f"tokens of tokenizer.json (sha256 {sha256})",
    ]


def test_the_file_is_not_needed_once_it_is_in_the_index(tokenizer: Path) -> None:
    saved = analyser_of(tokenizer=tokenizer).to_json()
    tokenizer.unlink()
    assert Analyser.from_json(saved)("ราคาน้ำมัน") == ["ราคา", "น้ำมัน"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"stop_words": "german"},
            "stop_words must be 'english', null or a list of words with a name, got 'german'",
        ),
        (
            {"stop_words": {"name": "x", "words": [1]}},
            "stop_words must be 'english', null or a list of words with a name, got {'name': 'x', 'words': [1]}",
        ),
        ({"stems": True}, "expected an analyser as an object with stop_words, got {'stems': True}"),
        (None, "expected an analyser as an object with stop_words, got None"),
        (
            {"stop_words": None, "stemming": {"language": "english"}},
            "stemming must be an object of the strings language, version",
        ),
        (
            {"stop_words": None, "tokenizer": {"name": "t", "sha256": "0", "json": "{}"}},
            "the saved tokenizer is damaged: its SHA-256 is another",
        ),
    ],
)
def test_unknown_json_is_refused(value: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        Analyser.from_json(value)
    assert str(error.value) == message


def test_what_cannot_be_is_refused(tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{}")
    for settings, message in [
        ({"stemmer": "klingon"}, "bm25_stemmer must be one of arabic, "),
        ({"stop_words": "klingon"}, "bm25_stop_words must be none, a file or one of arabic, "),
        ({"tokenizer": tmp_path / "no.json"}, f"{tmp_path / 'no.json'}: no such file"),
        ({"tokenizer": tmp_path / "broken.json"}, f"{tmp_path / 'broken.json'}: not a tokenizer.json: "),
        (
            {"tokenizer": tokenizer, "stemmer": "thai"},
            "bm25_stemmer is not for the tokens of bm25_tokenizer: leave one of them out",
        ),
        (
            {"tokenizer": tokenizer, "stop_words": "english"},
            "bm25_stop_words is not for the tokens of bm25_tokenizer: leave one of them out",
        ),
    ]:
        with pytest.raises(InputError) as error:
            analyser_of(**settings)
        assert str(error.value).startswith(message)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Stemmer", None)
    with pytest.raises(InputError) as error:
        analyser_of(stemmer="german")
    extra = "pip install 'contrastive-text-learning[languages]'"
    assert str(error.value) == f"bm25_stemmer: needs PyStemmer: {extra}"
    monkeypatch.setitem(sys.modules, "stop_words", None)
    with pytest.raises(InputError) as error:
        analyser_of(stop_words="german")
    assert str(error.value) == f"stop words of other languages than English need stop-words: {extra}"
    assert module.analyser_of(stop_words="none")("the oil") == ["the", "oil"]


@given(st.text())
def test_pairs_have_the_words(text: str) -> None:
    for analyser in (Analyser(), Analyser(None), Analyser(ENGLISH, Stemming("english", stemming.version()))):
        assert [word for _, word in analyser.pairs(text)] == analyser(text)
