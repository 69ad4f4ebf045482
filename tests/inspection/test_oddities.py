import pytest

from retriever.inspection.oddities import oddities


@pytest.mark.parametrize(
    ("text", "name", "at"),
    [
        ("a lost \ufffd", "replacement_character", 7),
        ("a clichÃ© here", "mojibake", 7),
        ("doesnâ€™t", "mojibake", 5),
        ("doesn\u00e2\u0080\u0099t", "mojibake", 5),
        ("10Â\u00a0km", "mojibake", 2),
        ("Привет".encode().decode("cp1252", "replace"), "mojibake", 0),
        ("\N{GRINNING FACE}".encode().decode("cp1252"), "mojibake", 0),
        ("a bell \x07", "control_character", 7),
        ("caf\\u00e9", "escape_left", 3),
        ("half \\ud83d", "escape_left", 5),
        ("AT&amp;T", "html_entity", 2),
        ("don&#39;t", "html_entity", 3),
        ("zero\u200bwidth", "invisible_character", 4),
        ("soft\u00adhyphen", "invisible_character", 4),
        ("\ufeffid", "invisible_character", 0),
    ],
)
def test_an_odd_text_is_told(text, name, at):
    assert oddities(text) == [(name, at)]


@pytest.mark.parametrize(
    "text",
    [
        "plain text\twith tabs\r\nand lines",
        "café, naïve, «MAÇÃ», “IRMÃ”, AMANHÃ… ROMÂNĂ, São Paulo, Ângela, «CAFÉ»",
        "می‌خواهم",  # Persian is written with U+200C
        "👨‍👩‍👧 family",  # and this emoji with U+200D
        "R&D; Q&A; a & b; void f(int &value);",
        "Ünïcödé — “quotes” … 東京 Привет Ð",
        "C:\\users\\new",
    ],
)
def test_an_honest_text_is_left_alone(text):
    assert oddities(text) == []


@pytest.mark.parametrize("letter", list(map(chr, range(0xC0, 0x100))))
def test_every_latin_letter_is_found_when_its_utf8_was_read_as_latin_1(letter):
    assert oddities(f"x{letter}x".encode().decode("latin-1")) == [("mojibake", 1)]
