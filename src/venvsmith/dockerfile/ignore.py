"""Patterns of a ``.dockerignore``, matched as BuildKit does: the last one that fits decides."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_STARS = 16
"""Wildcards in one pattern; nobody writes more, and matching them costs ever more."""


def ignores(patterns: Iterable[str], path: str) -> bool:
    """Tell whether a path of the context is left out.

    :param path: relative to the context, ``backend/.venv``.
    """
    left_out = False
    parts = path.split("/")
    candidates = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for pattern in patterns:
        exception = pattern.startswith("!")
        expression = _expression(pattern.removeprefix("!"))
        if expression is not None and any(expression.fullmatch(c) for c in candidates):
            left_out = not exception
    return left_out


def patterns_of(text: str) -> tuple[str, ...]:
    """Return the patterns of a file, cleaned of comments and surrounding slashes."""
    found: list[str] = []
    for line in text.splitlines():
        stripped = line.strip().removeprefix("\ufeff")
        if not stripped or stripped.startswith("#"):
            continue
        sign = "!" if stripped.startswith("!") else ""
        found.append(sign + stripped.removeprefix("!").strip().removeprefix("./").strip("/"))
    return tuple(found)


@lru_cache(256)
def _expression(pattern: str) -> re.Pattern[str] | None:
    if pattern.count("*") > _STARS:
        return None
    out: list[str] = []
    position = 0
    while position < len(pattern):
        if pattern.startswith("**", position):
            position += 2
            if pattern.startswith("/", position):
                position += 1
                out.append("(?:.*/)?")
            else:
                out.append(".*")
            continue
        char = pattern[position]
        position += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and "]" in pattern[position:]:
            end = pattern.index("]", position)
            out.append(f"[{pattern[position:end]}]")
            position = end + 1
        else:
            out.append(re.escape(char))
    try:
        return re.compile("".join(out))
    except re.error:
        return None
