"""What packages do with the system around them, as a table with sources."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program that packages start."""

    names: tuple[str, ...]
    """Any one of them will do."""
    callers: tuple[str, ...]
    """Normalised names of the distributions that start it."""
    unless: tuple[str, ...]
    """Distributions that bring it along."""
    package: str
    """Debian's package."""
    source: str
    date: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """A distribution that writes below HOME, and the variables that send it elsewhere."""

    name: str
    variables: tuple[str, ...]
    source: str
    date: str


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files("venvsmith.data").joinpath("knowledge.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def load_programs() -> tuple[Program, ...]:
    """Return the programs that packages start."""
    return tuple(
        Program(
            names=tuple(entry["names"]),
            callers=tuple(entry["callers"]),
            unless=tuple(entry.get("unless", ())),
            package=entry["package"],
            source=entry["source"],
            date=entry["date"],
        )
        for entry in _table()["program"]
    )


@cache
def load_caches() -> tuple[Cache, ...]:
    """Return the packages that keep a cache below HOME."""
    return tuple(
        Cache(
            name=entry["name"],
            variables=tuple(entry["variables"]),
            source=entry["source"],
            date=entry["date"],
        )
        for entry in _table()["cache"]
    )


@cache
def debian_package(library: str) -> str | None:
    """Return Debian's package of a shared library, None where the table does not know it."""
    package = _table()["libraries"]["packages"].get(library)
    return str(package) if package else None


@cache
def library_of(prefix: str) -> str | None:
    """Return the library of the table whose name begins with ``prefix``, None where none does."""
    names = _table()["libraries"]["packages"]
    return next(
        (str(name) for name in names if name == prefix or name.startswith(f"{prefix}.")), None
    )


@cache
def libraries_at_run_time() -> Mapping[str, str]:
    """Return system packages of which Python packages load a library when they run, with its name.

    No build needs them.
    """
    table = _table()["libraries"]
    named: dict[str, str] = {}
    for library, package in table["packages"].items():
        named.setdefault(package, library)
    return {**table["others"], **{name: named[name] for name in table["at-run-time"]}}


@cache
def programs_of_packages() -> Mapping[str, tuple[str, ...]]:
    """Return system packages with the programs that images call by name."""
    return {name: tuple(found) for name, found in _table()["packages"]["programs"].items()}


@cache
def in_full_images() -> frozenset[str]:
    """Return the packages with programs that the images have which are not slim."""
    return frozenset(_table()["packages"]["in-full-images"])


@cache
def in_alpine() -> frozenset[str]:
    """Return the packages with programs that busybox stands in for."""
    return frozenset(_table()["packages"]["in-alpine"])
