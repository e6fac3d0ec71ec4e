"""Import names of distributions that are not installed, as a table with sources.

Installed distributions say themselves which modules they bring; of an absent one only its name is
known. The table holds those whose import name is not their own name.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files("venvsmith.data").joinpath("modules.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def import_names() -> Mapping[str, tuple[str, ...]]:
    """Return the modules of distributions whose modules are not called as they are."""
    return {name: tuple(modules) for name, modules in _table()["modules"]["of"].items()}


def modules_of(name: str) -> tuple[str, ...]:
    """Return the import names that an absent distribution would most likely bring."""
    normal = canonicalize_name(name)
    known = import_names().get(normal, ())
    return known or (normal.replace("-", "_"), normal.removeprefix("python-").replace("-", "_"))


def stand_ins(name: str) -> frozenset[str]:
    """Return the distributions that bring the same modules as the named one."""
    normal = canonicalize_name(name)
    groups = (frozenset(entry["names"]) for entry in _table()["stand-ins"])
    return next((group for group in groups if normal in group), frozenset[str]()) - {normal}


def names_of(module: str) -> frozenset[str]:
    """Return the names of distributions that would most likely bring a top-level module."""
    known = {name for name, modules in import_names().items() if module in modules}
    return frozenset({canonicalize_name(module), *known})


def distribution_of(module: str) -> str | None:
    """Return the distribution to install for a top-level module.

    None where the name alone does not tell, as many distributions share it.
    """
    table = _table()["modules"]
    if module in table["shared"]:
        return None
    known = (name for name, modules in import_names().items() if module in modules)
    return str(table["usual"].get(module) or next(known, canonicalize_name(module)))
