from pathlib import Path

import pytest

from retriever.errors import InputError
from retriever.lexical.stop_words import ENGLISH, languages, stop_words_of
from retriever.lexical.words import words_of


def test_english_is_lucenes_33_words() -> None:
    assert stop_words_of("english") == ENGLISH
    assert len(ENGLISH.words) == 33
    assert not {"what", "who", "when"} & ENGLISH.words


def test_none_is_no_list() -> None:
    assert stop_words_of("none") is None


def test_lists_hold_words_as_texts_have_them() -> None:
    for language in languages() - {"english"}:
        found = stop_words_of(language)
        assert found is not None
        assert found.name == language
        assert len(found.words) > 9
        assert all(words_of(word) == [word] for word in found.words)
    assert {"der", "und"} <= stop_words_of("german").words


def test_a_file_has_a_word_a_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("Oil\n\n don't \n", encoding="utf-8")
    found = stop_words_of(str(file))
    assert (found.name, found.words) == ("mine.txt", {"oil", "don"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("in order to", "expected one word, found 3: 'in order to'"),
        ("--", "expected one word, found 0: '--'"),
    ],
)
def test_a_line_that_is_no_word_is_refused(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(f"oil\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        stop_words_of(str(file))
    assert str(error.value) == f"{file}:2: {message}"


def test_a_file_that_is_not_there_is_told_of() -> None:
    with pytest.raises(InputError) as error:
        stop_words_of("lists/mine.txt")
    assert str(error.value) == "lists/mine.txt: no such file"
