"""Signs that a text was decoded wrongly on its way here."""

import re
from html.entities import html5

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ENTITY = re.compile(r"&(#\d{1,7};|#x[0-9a-fA-F]{1,6};|[a-zA-Z]{2,8};)")
_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
"""Not U+200C and U+200D: Persian, Indic scripts and emoji are written with them."""

# How the bytes 0x80 to 0xBF look when they are read as Latin-1 or Windows-1252.
_CONTINUATION = "\u0080-\u00bf" + re.escape(bytes(range(0x80, 0xA0)).decode("cp1252", "ignore"))
# Â and Ã also end words of Portuguese or Romanian in capitals, after which quotes, dashes and … are honest.
_AFTER_CAPITAL = re.sub("[\u2018\u2019\u201c\u201d\u2013\u2014\u2026]", "", _CONTINUATION).replace(
    "\u0080-\u00bf", "\u0080-\u00aa\u00ac-\u00ba\u00bc-\u00bf"
)
_MOJIBAKE = re.compile(
    rf"[ÂÃ](?:[{_AFTER_CAPITAL}]|[«»](?=[a-z]))"
    rf"|â(?:\u0080|€)[{_CONTINUATION}]"  # dashes and quotes
    rf"|ð(?:\u009f|Ÿ)[{_CONTINUATION}]{{2}}"  # emoji
    rf"|(?:[ÐÑ][{_CONTINUATION}]){{2}}"  # Cyrillic
)


def oddities(text: str) -> list[tuple[str, int]]:
    """The faults (keys of ``KINDS``) that a text has, each with where it first stands."""
    found = [("html_entity", _entity(text))] if "&" in text else []
    if "\\u" in text:
        found.append(("escape_left", _first(_ESCAPE, text)))
    if not text.isascii():
        found.append(("replacement_character", text.find("\ufffd")))
        found.append(("mojibake", _first(_MOJIBAKE, text)))
        text = _MOJIBAKE.sub(
            lambda each: " " * len(each[0]), text
        )  # what is left of it is no fault of its own
        found.append(("invisible_character", _first(_INVISIBLE, text)))
    found.append(("control_character", _first(_CONTROL, text)))
    return [(name, at) for name, at in found if at >= 0]


def _first(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.search(text)
    return -1 if match is None else match.start()


def _entity(text: str) -> int:
    names = (each for each in _ENTITY.finditer(text) if each[1].startswith("#") or each[1] in html5)
    return next((each.start() for each in names), -1)
