"""Variables in Dockerfiles: which names a text uses, and what it is with those that are known."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ESCAPE = "\\"
"""What takes the meaning from the next character of a word. A Dockerfile's ``escape`` directive
makes it another one in all instructions but RUN; its parser follows that for lines and flags, here
it is not followed."""
_NESTING = 8
"""Levels of ``${a:-${b}}`` that are looked into."""
_REACH = 4096
"""Characters of one variable, and of a value that a pattern is cut off."""
VALUE_LIMIT = 65_536
"""Characters that a text may grow to; beyond, it is told as unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A use of a variable: ``$name``, ``${name}`` or ``${name:-word}``."""

    name: str
    start: int
    end: int
    operator: str = ""
    """``:-``, ``-``, ``:+``, ``+``, ``:?``, ``?``, ``#``, ``%``, ``/`` or nothing."""
    word: str = ""


def variables(text: str) -> Iterator[Variable]:
    """Yield the variables that a shell or BuildKit would expand, outside single quotes."""
    position = 0
    quote = ""
    while position < len(text):
        char = text[position]
        if char == ESCAPE and quote != "'":
            position += 2
            continue
        if char in "\"'":
            if not quote:
                quote = char
            elif quote == char:
                quote = ""
        elif char == "$" and quote != "'":
            found = _variable(text, position)
            if found is not None:
                yield found
                position = found.end
                continue
        position += 1


def _variable(text: str, start: int) -> Variable | None:
    if text.startswith("${", start):
        match = _NAME.match(text, start + 2)
        end = _closing(text, start + 2)
        if match is None or end is None:
            return None
        operator, word = _operator(text[match.end() : end])
        return Variable(name=match[0], start=start, end=end + 1, operator=operator, word=word)
    match = _NAME.match(text, start + 1)
    return Variable(name=match[0], start=start, end=match.end()) if match else None


def _closing(text: str, position: int) -> int | None:
    if text.find("}", position, position + _REACH) < 0:
        return None
    depth = 1
    for at in range(position, min(len(text), position + _REACH)):
        if text.startswith("${", at):
            depth += 1
            if depth > _NESTING:
                return None
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return None


def _operator(rest: str) -> tuple[str, str]:
    for operator in (":-", ":+", ":?", "##", "%%", "//", "-", "+", "?", "#", "%", "/", ":"):
        if rest.startswith(operator):
            return operator, rest[len(operator) :]
    return "", rest


def expand(text: str, env: Mapping[str, str | None], *, depth: int = 0) -> str:
    """Return text with its variables replaced and its quotes kept.

    A name that ``env`` lacks, or that it maps to None, is unknown and stays as it is written; so
    does what is not understood.
    """
    out: list[str] = []
    position = 0
    for variable in variables(text):
        out.append(text[position : variable.start])
        value = _value(variable, env, depth)
        out.append(text[variable.start : variable.end] if value is None else value)
        position = variable.end
    out.append(text[position:])
    # Values that double line by line would fill the memory.
    return "".join(out) if sum(map(len, out)) <= VALUE_LIMIT else text


def _value(variable: Variable, env: Mapping[str, str | None], depth: int) -> str | None:
    if depth > _NESTING:
        return None
    value = env.get(variable.name)
    if variable.operator == "":
        return value
    if variable.operator in {":-", "-", ":+", "+"}:
        return _choice(variable, env, depth)
    if value is None or len(value) > _REACH:
        return None
    return _cut(variable, value)


def _choice(variable: Variable, env: Mapping[str, str | None], depth: int) -> str | None:
    """Choose between a value and the word of ``:-`` or ``:+``."""
    known = variable.name in env
    value = env.get(variable.name)
    if known and value is None:
        return None
    filled = bool(value) if variable.operator.startswith(":") else known
    word = expand(variable.word, env, depth=depth + 1)
    if variable.operator.endswith("+"):
        return word if filled else ""
    return value if filled else word


def _cut(variable: Variable, value: str) -> str | None:
    """Apply the operators that cut a pattern off either end."""
    longest = len(variable.operator) == 2  # noqa: PLR2004 - ## and %%
    if variable.operator[0] == "#":
        ends = range(len(value) + 1)
        for end in reversed(ends) if longest else ends:
            if fnmatch.fnmatchcase(value[:end], variable.word):
                return value[end:]
        return value
    if variable.operator[0] == "%":
        starts = range(len(value) + 1)
        for start in starts if longest else reversed(starts):
            if fnmatch.fnmatchcase(value[start:], variable.word):
                return value[:start]
        return value
    return None


def unquote(word: str) -> str:
    """Return a word without its quotes and escapes."""
    out: list[str] = []
    quote = ""
    position = 0
    while position < len(word):
        char = word[position]
        if char == ESCAPE and quote != "'" and position + 1 < len(word):
            position += 1
            out.append(word[position])
        elif quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in "\"'":
            quote = char
        else:
            out.append(char)
        position += 1
    return "".join(out)


def split_words(text: str) -> list[str]:
    """Split at white space outside quotes; quotes and escapes are kept."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char == ESCAPE and quote != "'" and position + 1 < len(text):
            word.append(char)
            position += 1
            char = text[position]
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char.isspace():
            if word:
                words.append("".join(word))
            word = []
            position += 1
            continue
        word.append(char)
        position += 1
    return [*words, "".join(word)] if word else words


def has_unknown(text: str) -> bool:
    """Tell whether a variable is left in a text that was expanded."""
    return next(variables(text), None) is not None
