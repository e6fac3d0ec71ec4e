"""Text that may be shown: what a target says of itself is never trusted to be harmless."""

from __future__ import annotations

import textwrap


def clean(text: str) -> str:
    """Return one line without control characters: they are shown as escapes."""
    return "".join(
        c if c.isprintable() else " " if c in "\n\t" else f"\\x{ord(c):02x}" for c in text
    )


def wrapped(text: str, *, width: int, indent: str = "", hanging: str = "") -> list[str]:
    """Return a paragraph as lines, never cutting a word: paths and commands stay whole."""
    return textwrap.wrap(
        clean(text),
        width=max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]


def plural(number: int, noun: str) -> str:
    """Return ``1 cause`` or ``2 causes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
