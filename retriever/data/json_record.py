"""A JSON object that knows where it stands: fields come out type-checked, or as an error with the line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retriever.data.lines import read_json_objects
from retriever.errors import InputError

_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def kind_of(value: object) -> str:
    """What a JSON value is, in words: ``a list``, ``null``; tables hold others, too: ``bytes``, ``datetime``."""
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def read_records(path: Path) -> "Iterator[JsonRecord]":
    """The objects of a file or data set; errors as ``read_json_objects``."""
    for line, values in read_json_objects(path):
        yield JsonRecord(values, path, line)


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """An object of a JSON file, or one inside such an object (``place`` then says where, for the errors)."""

    values: dict[str, Any]
    path: Path
    line: int
    place: str = ""

    def error(self, message: str) -> InputError:
        """An InputError with file, line and place."""
        return InputError(self.place + message, path=self.path, line=self.line)

    def first_of(self, *names: str) -> str | None:
        """The first of the names that has a value other than null; None if none has."""
        return next((name for name in names if self.values.get(name) is not None), None)

    def text(self, name: str) -> str:
        """A string that must be there; it may be empty."""
        if name not in self.values:
            raise self.error(f"no '{name}'")
        value = self.values[name]
        if not isinstance(value, str):
            raise self.error(f"'{name}' must be a string, found {kind_of(value)}")
        return value

    def optional_text(self, name: str) -> str:
        """A string; empty where it is missing or null."""
        return "" if self.values.get(name) is None else self.text(name)

    def id(self, *names: str) -> str | None:
        """The id, a string or a whole number, under the first of the names that is there; None if none is."""
        name = self.first_of(*names)
        return None if name is None else self._as_id(name, self.values[name])

    def ids(self, name: str) -> tuple[str, ...]:
        """One id or a list of ids, each once; empty where it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return ()
        values = value if isinstance(value, list) else [value]
        return tuple(dict.fromkeys(self._as_id(name, each) for each in values))

    def _as_id(self, name: str, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.error(f"'{name}' must be a string or a whole number, found {kind_of(value)}")
        if value == "":
            raise self.error(f"'{name}' is empty")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty where it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.error(f"'{name}' must be a list of strings, found {kind_of(value)}")
        for each in value:
            if not isinstance(each, str):
                raise self.error(f"'{name}' must be a list of strings, found {kind_of(each)} in it")
        return tuple(value)

    def records(self, name: str) -> "list[JsonRecord]":
        """A list of objects; empty where it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(f"'{name}' must be a list of objects, found {kind_of(value)}")
        for each in value:
            if not isinstance(each, dict):
                raise self.error(f"'{name}' must be a list of objects, found {kind_of(each)} in it")
        return [JsonRecord(each, self.path, self.line, f"{name}[{at}]: ") for at, each in enumerate(value)]
