"""Small matters of wording that all messages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def listing(items: Iterable[str], limit: int = 3, *, cut: int = 0) -> str:
    """Join names for a sentence: ``a``, ``a and b``, ``a, b, c and 4 more``.

    :param cut: how many there are besides the items.
    """
    names: Sequence[str] = list(items)
    if len(names) + cut > limit + 1:
        shown = names[:limit]
        return f"{', '.join(shown)} and {len(names) + cut - len(shown)} more"
    if len(names) > 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return names[0] if names else ""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 script`` or ``3 scripts``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def be(number: int) -> str:
    """Return ``is`` or ``are``."""
    return "is" if number == 1 else "are"
