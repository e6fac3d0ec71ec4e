"""Which Pythons a specifier of versions allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_PATCHES = 100
"""More patch releases than any minor ever had."""


def suits(specifier: SpecifierSet, minor: str) -> bool:
    """Tell whether a specifier, such as a ``requires-python``, allows a release of a minor.

    :param minor: ``3.12``. Any of its patch releases will do.
    """
    return any(True for _ in specifier.filter(f"{minor}.{patch}" for patch in range(_PATCHES)))
