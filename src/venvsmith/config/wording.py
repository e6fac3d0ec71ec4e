"""How the configuration's messages name keys, values and types."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
import unicodedata
from typing import TYPE_CHECKING

from venvsmith.network import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make a line read otherwise than it works (CVE-2021-42574)."""


def join(path: str, key: str) -> str:
    """Return the path of a key below another, quoted as TOML has it where it must be."""
    quoted = key if _BARE_KEY.fullmatch(key) else json.dumps(key)
    return f"{path}.{quoted}" if path else quoted


def shown(value: str) -> str:
    """Return a string in quotes, shortened, harmless to a terminal, credentials masked."""
    value = without_credentials(value, mark="***@")
    return json.dumps(value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "\u2026")


def harmless(text: str) -> str:
    """Return the text with what a terminal would obey, or not show, escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def control_position(text: str) -> int | None:
    """Return where the first control character stands: C0, C1, line separators, bidi overrides."""
    for position, char in enumerate(text):
        if char in _BIDI_CONTROLS or unicodedata.category(char) in {"Cc", "Zl", "Zp", "Cs"}:
            return position
    return None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean "x"?``, or what is known where nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(word[:100], names, n=1)
    if near:
        return f"did you mean {shown(near[0])}?"
    return f"known are {', '.join(names)}" if names else "there is none"


def type_name(value: object) -> str:
    """Return what TOML calls a value's type, with an article."""
    names: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (str, "a string"),
        (int, "an integer"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
        (dt.datetime, "a time"),
        (dt.date, "a date"),
        (dt.time, "a time of day"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)
