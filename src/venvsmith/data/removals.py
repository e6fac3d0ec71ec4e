"""What releases removed and older packages still use. A table with sources and dates."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet

from venvsmith.data.stdlib import removed_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
    """Return the table that ships with this package.

    Where Python removed modules, there are signs for each of them besides those that are listed.
    """
    text = resources.files("venvsmith.data").joinpath("removals.toml").read_text(encoding="utf-8")
    return tuple(
        Removal(
            provider=entry["provider"],
            since=SpecifierSet(entry["since"]),
            version=entry["version"],
            keep=entry["keep"],
            what=entry["what"],
            signs=(*entry["signs"], *_signs(entry)),
            users={name: SpecifierSet(text) for name, text in entry["users"].items()},
            fatal=entry["fatal"],
            source=entry["source"],
            date=entry["date"],
        )
        for entry in tomllib.loads(text)["removal"]
    )


def removed_from_python(module: str, minor: str) -> bool:
    """Tell whether the table says that a minor of Python, or one before it, removed a module."""
    signs = (r.signs for r in load_removals() if r.provider == "python" and minor in r.since)
    return any(f"No module named '{module}'" in each for each in signs)


def _signs(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.get("modules"):
        for module in removed_in(entry["version"]):
            yield f"No module named '{module}'"
            yield f"No module named '{module}."
