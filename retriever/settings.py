"""What a config class is made of: settings with help, range and source; checks; JSON both ways."""

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin

from retriever.errors import InputError


def setting(
    help_text: str,
    *,
    default: object = MISSING,
    source: str = "",
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    positional: bool = False,
    flags: str = "",
) -> Any:  # noqa: ANN401  (dataclasses.field has no better type either)
    """A dataclass field with its help, the source of its default, and its range. No default: the setting is required.

    ``flags`` names the two flags of a switch (``"--on/--off"``) where ``--name/--no-name`` would say less.
    """
    metadata = {
        "help": help_text,
        "source": source,
        "range": {"above": above, "at_least": at_least, "below": below, "at_most": at_most},
        "required": default is MISSING,
        "positional": positional,
        "flags": flags,
    }
    return field(default=None if default is MISSING else default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What every command's config shares: checking, and JSON both ways."""

    def __post_init__(self) -> None:
        for each in fields(self):
            check_value(each, getattr(self, each.name), type_of(type(self), each.name))

    @classmethod
    def resolve(cls, flags: Mapping[str, object], file: Path | None = None) -> Self:
        """Merge flags over the config file over the defaults; then required settings must be there.

        Args:
            flags: field name → value, only of the flags that were given.
            file: a JSON object, field name → value, as ``to_json`` writes it.

        Raises:
            InputError: unknown key, wrong type, value out of range, or a required setting missing.
        """
        given = {**({} if file is None else cls.read(file)), **flags}
        return cls(**{**cls.other_defaults(given), **given})

    @classmethod
    def other_defaults(cls, given: Mapping[str, object]) -> Mapping[str, object]:
        """What takes the place of the defaults, by the settings that were given; no command but training has presets."""
        return {}

    @classmethod
    def read(cls, file: Path) -> dict[str, object]:
        """The settings in a JSON file, types checked; errors name the file and the key."""
        try:
            values = json.loads(file.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise InputError("no such file", path=file) from None
        except UnicodeDecodeError:
            raise InputError("not UTF-8", path=file) from None
        except json.JSONDecodeError as error:
            raise InputError(f"invalid JSON: {error.msg}", path=file, line=error.lineno) from None
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=file) from None
        except (ValueError, RecursionError):  # Python's own limits on digits and on depth
            raise InputError("invalid JSON: number too long or nesting too deep", path=file) from None
        if not isinstance(values, dict):
            raise InputError("expected a JSON object of settings", path=file)
        known = {each.name: each for each in fields(cls)}
        result: dict[str, object] = {}
        for key, value in values.items():
            if key not in known:
                raise InputError(f"unknown setting '{key}' (known: {', '.join(known)})", path=file)
            try:
                result[key] = from_json(key, value, type_of(cls, key))
                check_value(known[key], result[key], type_of(cls, key))
            except InputError as error:
                raise InputError(error.message, path=file) from None
        return result

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; ``resolve({}, file)`` of what this writes gives an equal config."""
        return {key: plain(value) for key, value in asdict(self).items()}


def plain(value: object) -> object:
    """Paths as strings and tuples as lists, the rest as it is."""
    if isinstance(value, Path):
        return str(value)
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def type_of(cls: type, name: str) -> Any:  # noqa: ANN401  (a type expression)
    """The resolved annotation of a field, wherever in the bases it was declared."""
    return typing.get_type_hints(cls)[name]


def optional_inner(annotation: Any) -> tuple[Any, bool]:  # noqa: ANN401  (a type expression)
    """``int | None`` → (int, True); ``int`` → (int, False)."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(each for each in get_args(annotation) if each is not type(None)), True
    return annotation, False


def from_json(name: str, value: object, annotation: Any) -> object:  # noqa: ANN401  (a type expression)
    """A JSON value as the field's type, or an InputError that says what was expected."""
    inner, optional = optional_inner(annotation)
    if value is None:
        if optional:
            return None
        raise InputError(f"{name} must not be null")
    if get_origin(inner) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{name} must be a list, got {value!r}")
        return tuple(from_json(name, each, get_args(inner)[0]) for each in value)
    if get_origin(inner) is Literal:
        return value  # check_value knows the choices
    expected: tuple[type, ...] = {Path: (str,), float: (int, float)}.get(inner, (inner,))
    if not isinstance(value, expected) or (isinstance(value, bool) and inner is not bool):
        raise InputError(f"{name} must be {readable(inner)}, got {value!r}")
    return inner(value)


def readable(annotation: Any) -> str:  # noqa: ANN401  (a type expression)
    """A type in words."""
    return {int: "a whole number", float: "a number", str: "a string", bool: "true or false", Path: "a path"}[
        annotation
    ]


def check_value(each: "Field[Any]", value: object, annotation: Any) -> None:  # noqa: ANN401  (a type expression)
    """Raise InputError unless the value is there when required, one of the choices, finite and in range."""
    flag = each.name
    if value is None or value == ():
        if each.metadata.get("required"):
            raise InputError(f"{flag} is required")
        return
    inner, _ = optional_inner(annotation)
    if isinstance(value, tuple):
        for one in value:
            check_value(each, one, get_args(inner)[0])
        return
    if get_origin(inner) is Literal and value not in get_args(inner):
        raise InputError(f"{flag} must be one of {', '.join(map(str, get_args(inner)))}, got {value!r}")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if not math.isfinite(value):
        raise InputError(f"{flag} must be a finite number, got {value}")
    limits = each.metadata.get("range", {})
    words = {"above": "above", "at_least": "at least", "below": "below", "at_most": "at most"}
    holds = {
        "above": lambda limit: value > limit,
        "at_least": lambda limit: value >= limit,
        "below": lambda limit: value < limit,
        "at_most": lambda limit: value <= limit,
    }
    for kind, limit in limits.items():
        if limit is not None and not holds[kind](limit):
            raise InputError(f"{flag} must be {words[kind]} {limit:g}, got {value:g}")
