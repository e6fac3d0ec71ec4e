"""Kinds of values that the configuration may hold: each reads itself and tells its JSON schema.

A kind's `read` never raises. It notes what is wrong, with the key's path, and returns a blank of
its own type, so that reading goes on and every mistake is told in one run.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol

from venvsmith.config.wording import control_position, join, shown, suggestion, type_name

Problems = list[tuple[str, str]]
"""Pairs of key path and message, in the order in which they were noticed."""


class Kind(Protocol):
    """What a key may hold."""

    @property
    def one(self) -> str:
        """Return the name of its type with an article: ``a list of strings``."""

    @property
    def many(self) -> str:
        """Return the plural of its type's name: ``lists of strings``."""

    @property
    def blank(self) -> Any:
        """Return what stands where the value is wrong or missing."""

    def read(self, value: object, path: str, problems: Problems) -> Any:
        """Return the value as the model has it; note under ``path`` what is wrong with it."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string.

    :param label: what a right one is, after "expected".
    :param pattern: regular expression that the whole string matches.
    :param parse: returns the string as the model has it; raises ValueError with the message.
    :param longest: the most characters it may have.
    """

    label: str = "a string"
    _: KW_ONLY
    pattern: str | None = None
    parse: Callable[[str], str] | None = None
    longest: int | None = None

    one = "a string"
    many = "strings"
    blank = ""

    def read(self, value: object, path: str, problems: Problems) -> str:
        """Return the string, or an empty one where it is wrong."""
        if not isinstance(value, str):
            problems.append((path, _mismatch(self, value)))
            return ""
        trouble = self._trouble(value)
        if trouble is None and self.parse is not None:
            try:
                return self.parse(value)
            except ValueError as exc:
                trouble = str(exc)
        if trouble is not None:
            problems.append((path, trouble))
            return ""
        return value

    def _trouble(self, value: str) -> str | None:
        if (position := control_position(value)) is not None:
            return f"holds the control character U+{ord(value[position]):04X} at {position}"
        if self.longest is not None and len(value) > self.longest:
            return f"expected at most {self.longest} characters, got {len(value)}"
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return f"expected {self.label}, got {shown(value)}"
        return None

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {"type": "string"}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        if self.longest is not None:
            schema["maxLength"] = self.longest
        return schema


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few strings."""

    options: tuple[str, ...]

    one = "a string"
    many = "strings"

    @property
    def blank(self) -> str:
        """Return the first option."""
        return self.options[0]

    def read(self, value: object, path: str, problems: Problems) -> str:
        """Return the option, or the first one where it is none of them."""
        if not isinstance(value, str):
            problems.append((path, _mismatch(self, value)))
        elif value not in self.options:
            known = " or ".join(shown(option) for option in self.options)
            problems.append((path, f"expected {known}, got {shown(value)}"))
        else:
            return value
        return self.blank

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        return {"enum": list(self.options)}


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer within bounds."""

    lowest: int
    highest: int

    one = "an integer"
    many = "integers"
    blank = 0

    def read(self, value: object, path: str, problems: Problems) -> int:
        """Return the integer, or 0 where it is wrong."""
        if not isinstance(value, int) or isinstance(value, bool):
            problems.append((path, _mismatch(self, value)))
        elif not self.lowest <= value <= self.highest:
            # The value stays out of the message: Python refuses to print a very long integer.
            problems.append((path, f"expected an integer from {self.lowest} to {self.highest}"))
        else:
            return value
        return 0

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, or a time with its offset from UTC; TOML's own or as a string."""

    one = "a date or a time with an offset"
    many = "dates"
    blank = ""
    _pattern = (
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
        r"([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
    )

    def read(self, value: object, path: str, problems: Problems) -> str:
        """Return the moment as RFC 3339 writes it, a date as it stands."""
        moment: dt.date | None = None
        if isinstance(value, dt.date):
            moment = value
        elif isinstance(value, str) and re.fullmatch(self._pattern, value, re.ASCII):
            moment = _parse_moment(value)
        if moment is None:
            got = shown(value) if isinstance(value, str) else type_name(value)
            example = '"2026-11-01" or "2026-11-01T12:00:00Z"'
            problems.append((path, f"expected a date or a time such as {example}, got {got}"))
            return ""
        if isinstance(moment, dt.datetime):
            if moment.tzinfo is None:
                problems.append((path, "this time has no offset from UTC; write a Z behind it"))
                return ""
            return moment.isoformat().replace("+00:00", "Z")
        return moment.isoformat()

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        return {"type": "string", "pattern": f"^{self._pattern}$"}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items are all of one kind."""

    item: Kind
    _: KW_ONLY
    at_least: int = 0
    unique: bool = False

    blank = ()

    @property
    def one(self) -> str:
        """Return the name of its type with an article."""
        return f"a list of {self.item.many}"

    @property
    def many(self) -> str:
        """Return the plural of its type's name."""
        return f"lists of {self.item.many}"

    def read(self, value: object, path: str, problems: Problems) -> tuple[Any, ...]:
        """Return the items; a blank stands where one is wrong."""
        if not isinstance(value, list):
            problems.append((path, _mismatch(self, value)))
            return ()
        if len(value) < self.at_least:
            problems.append((path, f"expected at least {self.at_least} item, got an empty list"))
        items = [
            self.item.read(item, f"{path}[{index}]", problems) for index, item in enumerate(value)
        ]
        if self.unique:
            for index, item in enumerate(items):
                if item != self.item.blank and item in items[:index]:
                    problems.append((f"{path}[{index}]", f"{shown(item)} stands here twice"))
        return tuple(items)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        if self.at_least:
            schema["minItems"] = self.at_least
        if self.unique:
            schema["uniqueItems"] = True
        return schema


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table whose keys the user chooses."""

    key: Text
    value: Kind
    _: KW_ONLY
    at_least: int = 0

    many = "tables"

    @property
    def one(self) -> str:
        """Return the name of its type with an article."""
        return f"a table of {self.value.many}"

    @property
    def blank(self) -> dict[str, Any]:
        """Return an empty table."""
        return {}

    def read(self, value: object, path: str, problems: Problems) -> dict[str, Any]:
        """Return the entries; one whose key is wrong stays, so that what names it is found."""
        if not isinstance(value, dict):
            problems.append((path, _mismatch(self, value)))
            return {}
        if len(value) < self.at_least:
            problems.append((path, f"expected at least {self.at_least} entry, got an empty table"))
        entries = {}
        for key, item in value.items():
            below = join(path, key)
            self.key.read(key, below, problems)
            entries[key] = self.value.read(item, below, problems)
        return entries

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {"type": "object", "additionalProperties": self.value.schema()}
        names = {name: rule for name, rule in self.key.schema().items() if name != "type"}
        if names:
            schema["propertyNames"] = names
        if self.at_least:
            schema["minProperties"] = self.at_least
        return schema


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    :param doc: what it holds, for the reference and for the message where it is missing.
    :param field: the model's name for it, where that differs.
    """

    kind: Kind
    doc: str
    _: KW_ONLY
    required: bool = False
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with known keys.

    :param model: the dataclass that it becomes; its defaults are the keys' defaults.
    :param either: groups of keys of which exactly one has to be there, and whole.
    """

    keys: Mapping[str, Key]
    _: KW_ONLY
    model: type | None = None
    either: tuple[tuple[str, ...], ...] = ()
    doc: str = ""

    one = "a table"
    many = "tables"

    @property
    def blank(self) -> dict[str, Any]:
        """Return the required keys with blanks."""
        return {
            self.field_of(name): key.kind.blank for name, key in self.keys.items() if key.required
        }

    def field_of(self, name: str) -> str:
        """Return the model's field for a key."""
        return self.keys[name].field or name.replace("-", "_")

    def read(self, value: object, path: str, problems: Problems) -> dict[str, Any]:
        """Return what is given, by the model's field names; required keys are always there."""
        if not isinstance(value, dict):
            problems.append((path, _mismatch(self, value)))
            return self.blank
        fields = self.blank
        for name, item in value.items():
            below = join(path, name)
            if name in self.keys:
                fields[self.field_of(name)] = self.keys[name].kind.read(item, below, problems)
            else:
                problems.append((below, f"unknown key; {suggestion(name, self.keys)}"))
        for name, key in self.keys.items():
            if key.required and name not in value:
                problems.append((join(path, name), f"missing: {key.doc}"))
        self._choose(value, path, problems)
        return fields

    def _choose(self, value: Mapping[str, object], path: str, problems: Problems) -> None:
        """Note where not exactly one group of `either` is there."""
        if not self.either:
            return
        begun = [group for group in self.either if any(name in value for name in group)]
        if len(begun) == 1:
            for name in begun[0]:
                if name not in value:
                    problems.append((join(path, name), f"missing: {self.keys[name].doc}"))
            return
        groups = ", or ".join(" and ".join(group) for group in self.either)
        verb = "expected either" if not begun else "expected only one of"
        problems.append((path, f"{verb} {groups}"))

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"description": key.doc, **self._default(name), **key.kind.schema()}
                for name, key in self.keys.items()
            },
        }
        if required := [name for name, key in self.keys.items() if key.required]:
            schema["required"] = required
        if self.either:
            schema["oneOf"] = [
                {
                    "required": list(group),
                    "not": {
                        "anyOf": [
                            {"required": [name]}
                            for other in self.either
                            if other is not group
                            for name in other
                        ]
                    },
                }
                for group in self.either
            ]
        return schema

    def _default(self, name: str) -> dict[str, Any]:
        default = self.default(name)
        return {} if default in (None, "", (), {}) else {"default": default}

    def default(self, name: str) -> Any:
        """Return the model's default of a key, None where it has none."""
        fields: Mapping[str, Any] = getattr(self.model, "__dataclass_fields__", {})
        declared = fields.get(self.field_of(name))
        default = getattr(declared, "default", None)
        return default if isinstance(default, str | int | tuple) else None


def _mismatch(kind: Kind, value: object) -> str:
    message = f"expected {kind.one}, got {type_name(value)}"
    if kind.one == "a string" and isinstance(value, int | float | dt.date | dt.time):
        message += "; put it in quotes"
    return message


def _parse_moment(text: str) -> dt.date | None:
    try:
        if len(text) == len("2026-11-01"):
            return dt.date.fromisoformat(text)
        return dt.datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError:
        return None
