"""The standard library of each Python minor: ``sys.stdlib_module_names`` knows but this one's."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def standard_library(minor: str | None) -> frozenset[str]:
    """Return the top-level modules of a minor's standard library, the internal ones among them.

    :param minor: ``3.11``; one newer than the table is taken as the newest. Where it is not known
        (None), the modules that any minor from 3.8 on has, or had.
    """
    table = _table()
    modules = set(table["modules"])
    for change in table["changes"]:
        if minor is not None and _number(change["minor"]) > _number(minor):
            break
        modules |= set(change["added"])
        modules -= set(change["removed"]) if minor is not None else set()
    return frozenset(modules)


@cache
def removed_in(minor: str) -> tuple[str, ...]:
    """Return the top-level modules that a minor was the first not to have, internal ones too."""
    changes = (change for change in _table()["changes"] if change["minor"] == minor)
    return tuple(name for change in changes for name in change["removed"])


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files("venvsmith.data").joinpath("stdlib.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _number(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split(".") if part.isdecimal())
