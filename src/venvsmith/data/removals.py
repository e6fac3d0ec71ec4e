"""What releases removed and older packages still use. A table with sources and dates."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """Names that a release of a distribution, or of Python, no longer has."""

    provider: str
    """Normalised name, or ``python``."""
    since: SpecifierSet
    """Versions without them."""
    version: str
    keep: str
    """The range that still has them."""
    what: str
    signs: tuple[str, ...]
    """What a failing import says."""
    users: Mapping[str, SpecifierSet]
    """Distributions that are known to use them, with the versions that do."""
    fatal: bool
    """Whether the known users fail already when imported."""
    source: str
    date: str


@cache
def load_removals() -> tuple[Removal, ...]:
    """Return the table that ships with this package."""
    text = resources.files("venvsmith.data").joinpath("removals.toml").read_text(encoding="utf-8")
    return tuple(
        Removal(
            provider=entry["provider"],
            since=SpecifierSet(entry["since"]),
            version=entry["version"],
            keep=entry["keep"],
            what=entry["what"],
            signs=tuple(entry["signs"]),
            users={name: SpecifierSet(text) for name, text in entry["users"].items()},
            fatal=entry["fatal"],
            source=entry["source"],
            date=entry["date"],
        )
        for entry in tomllib.loads(text)["removal"]
    )
