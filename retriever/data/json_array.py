"""A JSON array of objects, one object at a time: DPR's training files are larger than memory."""

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from retriever.data.files import parse_json
from retriever.errors import InputError

_BLOCK = 1 << 20
_LONGEST_LITERAL = 16
"""An error this near the end of the buffer may only mean that the rest of the word is not read yet."""


def checked_object(value: object, source: str, path: Path, line: int) -> dict[str, Any]:
    """The value, if it is a JSON object whose strings are all text.

    Args:
        value: what ``source`` says.
        source: the JSON text, or a part of the file that contains it.
        path: the file, for the error.
        line: where the object begins, for the error.

    Raises:
        InputError: it is not an object, or a string in it holds half a surrogate pair (which cannot be
            written as UTF-8).
    """
    if not isinstance(value, dict):
        raise InputError(f"expected a JSON object, found {_shortened(value)}", path=path, line=line)
    if "\\ud" in source or "\\uD" in source:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InputError("a string holds half a surrogate pair", path=path, line=line) from None
    return value


def _shortened(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def read_json_array(file: IO[bytes], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object for each object of the one array in a file; memory holds a block and an object.

    Args:
        file: the opened file.
        path: its name, for errors.

    Raises:
        InputError: not UTF-8, not JSON, not an array, something in it that is no object, or something after
            it.
    """
    text = _Buffer(file, path)
    yield from _elements(text, path)
    if text.next_character():
        raise text.error("invalid JSON: Extra data")


def read_json_member(
    file: IO[bytes], path: Path, name: str, passed_over: Callable[[str], object]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """As ``read_json_array``, of the array that is the member ``name`` of the one object in a file.

    Args:
        file: the opened file.
        path: its name, for errors.
        name: the member's name.
        passed_over: called with the name of every other member.

    Raises:
        InputError: as ``read_json_array``, or the object has no such member.
    """
    text = _Buffer(file, path)
    text.expect("{", "expected a JSON object")
    found, more = False, text.next_character() != "}"
    while more:
        if text.next_character() != '"':
            raise text.error("invalid JSON: Expecting property name enclosed in double quotes")
        key, _ = text.next_value()
        text.expect(":", "invalid JSON: Expecting ':' delimiter")
        if key == name:
            found = True
            yield from _elements(text, path)
        else:
            passed_over(str(key))
            text.next_character()
            text.next_value()
        more = text.next_character() == ","
        text.skip(more)
    text.expect("}", "invalid JSON: Expecting ',' delimiter")
    if text.next_character():
        raise text.error("invalid JSON: Extra data")
    if not found:
        raise InputError(f"no '{name}' in this object", path=path)


def _elements(text: "_Buffer", path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of the array that begins here."""
    text.expect("[", "expected a JSON array")
    if text.next_character() == "]":
        text.skip(1)
        return
    while True:
        text.next_character()
        line = text.line
        value, source = text.next_value()
        yield line, checked_object(value, source, path, line)
        mark = text.next_character()
        if mark not in (",", "]"):
            raise text.error(
                "invalid JSON: Expecting ',' delimiter" if mark else "invalid JSON: the array does not end"
            )
        text.skip(1)
        if mark == "]":
            return


class _Buffer:
    """The unread part of a file as text, read in blocks, and the line on which it begins."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.line = 1
        self._file, self._path = file, path
        self._text, self._position, self._ended = "", 0, False
        self._lines_read = 0
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder().raw_decode

    def error(self, message: str) -> InputError:
        return InputError(message, path=self._path, line=self.line)

    def expect(self, mark: str, message: str) -> None:
        """Pass over the next character that is no white space, which must be this one."""
        if self.next_character() != mark:
            raise self.error(message)
        self.skip(1)

    def skip(self, length: int) -> None:
        stop = self._position + length
        self.line += self._text.count("\n", self._position, stop)
        self._position = stop

    def next_character(self) -> str:
        """The next character that is no white space, not consumed; empty at the end of the file."""
        while True:
            rest = len(self._text) - self._position
            while self._position < len(self._text) and self._text[self._position] in " \t\r\n":
                self.skip(1)
            if self._position < len(self._text):
                return self._text[self._position]
            if self._ended:
                return ""
            self._read_more(rest)

    def next_value(self) -> tuple[object, str]:
        """The JSON value that begins here, and the text it was read from."""
        while True:
            try:
                value, stop = self._scan(self._text, self._position)
            except json.JSONDecodeError as error:
                if not self._ended and self._may_be_cut(error):
                    self._read_more(len(self._text) - self._position)
                    continue
                line = self.line + self._text.count("\n", self._position, error.pos)
                raise InputError(f"invalid JSON: {error.msg}", path=self._path, line=line) from None
            except (ValueError, RecursionError):
                # Let the one place that words these limits word them.
                parse_json(self._text[self._position :], path=self._path, line=self.line)
                raise
            if (
                isinstance(value, int | float)
                and not self._ended
                and len(self._text) - stop < _LONGEST_LITERAL
            ):
                self._read_more(len(self._text) - self._position)  # the block may end within the number
                continue
            source = self._text[self._position : stop]
            self.skip(len(source))
            return value, source

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        unterminated = error.msg.startswith("Unterminated string")
        return unterminated or error.pos >= len(self._text) - _LONGEST_LITERAL

    def _read_more(self, kept: int) -> None:
        """Drop what is consumed, append a block as long as what is kept: long objects cost linear time."""
        block = self._file.read(max(_BLOCK, kept))
        self._ended = not block
        try:
            more = self._decode(block, final=self._ended)
        except UnicodeDecodeError as error:
            line = self._lines_read + error.object[: error.start].count(b"\n") + 1
            raise InputError("not UTF-8", path=self._path, line=line) from None
        self._lines_read += more.count("\n")
        self._text, self._position = self._text[self._position :] + more, 0
