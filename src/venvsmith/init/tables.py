"""What a parsed pyproject holds at a place, where anything may stand in place of what is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]


def table(data: Any, *keys: str) -> Table:
    """Return the table below some keys; an empty one where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def tables(data: Any) -> list[Table]:
    """Return the tables of an array of them."""
    return [item for item in data if isinstance(item, Mapping)] if isinstance(data, list) else []


def strings(data: Any) -> list[str]:
    """Return the strings of a list."""
    return [item for item in data if isinstance(item, str)] if isinstance(data, list) else []


def string(data: Any) -> str:
    """Return a string; an empty one for anything else."""
    return data if isinstance(data, str) else ""


def is_named(data: Table) -> bool:
    """Tell whether a pyproject's [project] says the name and version that lock has to know."""
    project = table(data, "project")
    said = "version" in {*project, *strings(project.get("dynamic"))}
    return said and bool(string(project.get("name")))
