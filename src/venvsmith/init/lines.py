"""The lines of a requirements file, and the options of pip's on them.

The grammar is pip's, ``pip.pypa.io/en/stable/reference/requirements-file-format``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from venvsmith.errors import UsageError
from venvsmith.texts import read_text

_COMMENT = re.compile(r"(^|\s)#.*$")
_LONG = re.compile(r"(--[A-Za-z-]+)(?:[=\s]\s*(.*))?$", re.DOTALL)
_SHORT = re.compile(r"(-[A-Za-z])[=\s]*(.*)$", re.DOTALL)
_VALUED: Final = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A logical line of a requirements file."""

    number: int
    text: str


def source_text(path: Path) -> str:
    """Return a source file's text.

    :raises UsageError: where it cannot be read, is too large, or is not UTF-8.
    """
    try:
        return read_text(path)
    except OSError as exc:
        raise UsageError(f"cannot be read: {exc.strerror}", where=str(path)) from exc
    except ValueError as exc:
        raise UsageError(str(exc), where=str(path)) from exc


def lines_of(text: str) -> Iterator[Line]:
    """Yield the logical lines, without comments and empty ones."""
    held: list[str] = []
    start = 1
    for number, raw in enumerate(text.splitlines(), start=1):
        if not held:
            start = number
        if raw.endswith("\\"):
            held.append(raw[:-1])
            continue
        joined = _COMMENT.sub("", " ".join([*held, raw])).strip()
        held = []
        if joined:
            yield Line(number=start, text=joined)
    rest = _COMMENT.sub("", " ".join(held)).strip()
    if rest:
        yield Line(number=start, text=rest)


def split_option(text: str) -> tuple[str, str]:
    """Return an option's long name and its value."""
    match = _LONG.match(text) or _SHORT.match(text)
    name, value = match.groups("") if match else (text, "")
    return _VALUED.get(name, name), value.strip().strip("'\"")
