"""Kinds of single values: strings, choices, integers, moments."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from venvsmith.config.kinds import Problems, mismatch
from venvsmith.config.wording import control_position, shown, type_name

if TYPE_CHECKING:
    from collections.abc import Callable


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
            problems.append((path, mismatch(self, value)))
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

    blank = ""

    def read(self, value: object, path: str, problems: Problems) -> str:
        """Return the option, or an empty string where it is none of them."""
        if not isinstance(value, str):
            problems.append((path, mismatch(self, value)))
        elif value not in self.options:
            known = " or ".join(shown(option) for option in self.options)
            problems.append((path, f"expected {known}, got {shown(value)}"))
        else:
            return value
        return ""

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
            problems.append((path, mismatch(self, value)))
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


def _parse_moment(text: str) -> dt.date | None:
    try:
        if len(text) == len("2026-11-01"):
            return dt.date.fromisoformat(text)
        return dt.datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError:
        return None
