"""Patterns of a ``.dockerignore``, matched as BuildKit does: the last one that fits decides."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def ignores(patterns: Iterable[str], path: str) -> bool:
    """Tell whether a path of the context is left out.

    :param path: relative to the context, ``backend/.venv``.
    """
    left_out = False
    parts = path.split("/")
    for pattern in patterns:
        if _fits(_segments(pattern.removeprefix("!")), parts):
            left_out = not pattern.startswith("!")
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


def _fits(pattern: Sequence[re.Pattern[str] | None], parts: Sequence[str]) -> bool:
    """Tell whether a pattern, folder by folder, fits a path or one of the folders above it."""
    here = at = 0
    retry: tuple[int, int] | None = None
    while here < len(pattern):
        segment = pattern[here]
        if segment is None:
            here += 1
            retry = (here, at)
        elif at == len(parts):
            return False
        elif segment.fullmatch(parts[at]):
            here, at = here + 1, at + 1
        elif retry is None:
            return False
        else:  # the last "**" takes one folder more; those before it need no other try
            retry = (retry[0], retry[1] + 1)
            here, at = retry
    return True


@lru_cache(256)
def _segments(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """Return what each folder of a path has to look like; None for any number of folders."""
    found: list[re.Pattern[str] | None] = []
    for segment in pattern.split("/"):
        if segment.startswith("**"):
            found.append(None)
        if segment != "**":
            found.append(_expression(segment))
    if found[-1] is None:
        found.append(_expression("*"))  # "a/**" is all that lies in a, not a itself
    return tuple(found)


def _expression(segment: str) -> re.Pattern[str]:
    """Return the regular expression for one name.

    Stars are matched as :func:`fnmatch.translate` has it: what stands between two of them is taken
    where it first fits, and never tried elsewhere, so that the time stays linear.
    """
    runs = [""]
    position = 0
    while position < len(segment):
        char = segment[position]
        end = segment.find("]", position + 2) if char == "[" else -1
        if char == "*":
            runs += [""] if runs[-1] or len(runs) == 1 else []
        elif char == "?":
            runs[-1] += "."
        elif end > 0 and (choice := _choice(segment[position : end + 1])):
            runs[-1] += choice
            position = end
        else:
            runs[-1] += re.escape(char)
        position += 1
    if len(runs) == 1:
        return re.compile(runs[0], re.DOTALL)
    first, *between, last = runs
    return re.compile(f"{first}{''.join(f'(?>.*?{run})' for run in between)}.*{last}", re.DOTALL)


def _choice(written: str) -> str | None:
    try:
        re.compile(written)
    except re.error:
        return None
    return written
