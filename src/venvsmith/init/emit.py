"""Sections with comments to TOML that is a pleasure to read."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomlkit

from venvsmith.config.wording import harmless

WIDTH = 98
COMMENT_COLUMN = 33
"""Where comments behind values stand, unless a value reaches further."""
LAST_COLUMN = 46


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A key with its value, and what to say about it; an item's comment by its place in a list."""

    key: str
    value: Any
    comment: str = ""
    items: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A table, with comments above it and remarks at its end."""

    path: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    comment: str = ""
    notes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    """Lines that are commented out as they are: an alternative to take."""


def emit(header: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the whole file."""
    lines = [f"# {line}".rstrip() for line in map(harmless, header)]
    for section in sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    head = "[" + ".".join(tomlkit.key(part).as_string() for part in section.path) + "]"
    lines: list[str] = []
    apart = [entry for entry in section.fields if _needs_a_table(entry)]
    bodies = [(_lines(entry), entry.comment) for entry in section.fields if entry not in apart]
    single = [len(body[0]) for body, comment in bodies if comment and len(body) == 1]
    column = max([COMMENT_COLUMN, *(n + 2 for n in single if n + 2 <= LAST_COLUMN)])
    lines += _commented([head], section.comment, column)
    for note in section.notes:
        first, *rest = note.split("\n")
        lines += _wrapped(f"NOTE {first}", follow="     ")
        for line in rest:
            lines += _wrapped(f"     {line}", follow="         ")
    for body, comment in bodies:
        lines += _commented(body, comment, column)
    if section.after:
        lines += ["", *(f"# {harmless(line)}".rstrip() for line in section.after)]
    for entry in apart:
        fields = tuple(Field(key=key, value=value) for key, value in entry.value.items())
        lines += ["", *_section(Section(path=(*section.path, entry.key), fields=fields))]
    return lines


def _needs_a_table(entry: Field) -> bool:
    return isinstance(entry.value, Mapping) and len(_lines(entry)[0]) > WIDTH


def _commented(body: list[str], comment: str, column: int) -> list[str]:
    if not comment:
        return body
    comment = harmless(comment)
    if len(body) > 1:
        return [f"{body[0]:<{column}}# {comment}", *body[1:]]
    if len(body[0]) < column and column + len(comment) <= WIDTH + 4:
        return [f"{body[0]:<{column}}# {comment}"]
    return [*_wrapped(comment), *body]


def _wrapped(text: str, follow: str = "") -> list[str]:
    if not text:
        return []
    return textwrap.wrap(
        harmless(text),
        width=WIDTH,
        initial_indent="# ",
        subsequent_indent=f"# {follow}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _lines(entry: Field) -> list[str]:
    key = tomlkit.key(entry.key).as_string()
    text = f"{key} = {_value(entry.value)}"
    if len(text) <= WIDTH and not entry.items:
        return [text]
    if isinstance(entry.value, list):
        width = max((len(_value(item)) + 3 for item in entry.value), default=0)
        lines = [f"{key} = ["]
        for number, item in enumerate(entry.value):
            comment = harmless(entry.items.get(number, ""))
            line = f"  {_value(item)},"
            lines.append(f"{line:<{min(width + 2, LAST_COLUMN)}}# {comment}" if comment else line)
        return [*lines, "]"]
    return [text]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{tomlkit.key(k).as_string()} = {_value(v)}" for k, v in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(tomlkit.item(value).as_string())
