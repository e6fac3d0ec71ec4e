"""The table of distributions that are released together (``units.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """Distributions whose versions change together.

    :param names: patterns over normalised names.
    :param source: address of what shows it, read on ``date``.
    """

    name: str
    names: tuple[str, ...]
    source: str
    date: str
    reason: str


@cache
def load_units() -> tuple[Unit, ...]:
    """Return the table that ships with this package."""
    text = resources.files("venvsmith.data").joinpath("units.toml").read_text(encoding="utf-8")
    return tuple(
        Unit(**{**entry, "names": tuple(entry["names"])}) for entry in tomllib.loads(text)["unit"]
    )


def unit_of(name: str) -> str | None:
    """Return the unit that a normalised name belongs to, or None where it changes by itself."""
    return next(
        (
            unit.name
            for unit in load_units()
            if any(fnmatchcase(name, pattern) for pattern in unit.names)
        ),
        None,
    )
