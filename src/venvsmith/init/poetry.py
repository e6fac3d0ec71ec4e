"""Poetry's dependencies, and the sources of uv's, as PEP 508 requirements.

Poetry's forms are those of ``python-poetry.org/docs/dependency-specification``, uv's those of
``docs.astral.sh/uv/concepts/projects/dependencies``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

from venvsmith.init.addresses import repository

_NO_MATTER: Final = frozenset({"optional", "develop", "editable", "lfs"})
"""Keys that say nothing of what is installed; the optional ones stand among the extras."""
_AND: Final = re.compile(r",|(?<=[0-9a-z*])\s+(?=[<>=!~^])")
_ADDRESS: Final = ("git", "url", "path")
_ALWAYS: Final = frozenset({"extras", "markers", "marker", "python", "platform", "version"})
_WITH: Final = {
    "git": frozenset({"git", "rev", "tag", "branch", "subdirectory"}),
    "url": frozenset({"url", "subdirectory"}),
    "path": frozenset({"path"}),
    "": frozenset({"version"}),
}


def requirement_of(name: str, value: Any) -> str | None:
    """Return the requirement of a poetry dependency, or of a source of uv's.

    :param value: a constraint, or a table with it; a ``path`` in it as a requirement names it,
        ``./libs/acme``.
    :return: None where it has no such form, or not all that it says has one.
    """
    table: Mapping[str, Any] = value if isinstance(value, Mapping) else {"version": value}
    said = {key: item for key, item in table.items() if item and key not in _NO_MATTER}
    kind = next((key for key in _ADDRESS if key in said), "")
    extras = said.pop("extras", [])
    if not isinstance(extras, list) or not said.keys() <= _ALWAYS | _WITH[kind]:
        return None
    if not all(isinstance(item, str) for item in (*said.values(), *extras)):
        return None
    behind = _address(kind, said) if kind else _specifier(said.get("version", ""))
    marker = _marker(said)
    if behind is None or marker is None or (not kind and "version" not in said):
        return None
    full = f"{name}[{','.join(extras)}]" if extras else name
    text = f"{full}{' @ ' if kind else ''}{behind}{f' ; {marker}' if marker else ''}"
    try:
        Requirement(text)
    except (InvalidRequirement, RecursionError):
        return None
    return text


def _address(kind: str, said: Mapping[str, str]) -> str:
    address = said[kind]
    if kind == "git":
        revision = said.get("rev") or said.get("tag") or said.get("branch")
        address = repository(address) + (f"@{revision}" if revision else "")
    if folder := said.get("subdirectory"):
        address = f"{address}#subdirectory={folder}"
    return address


def _marker(said: Mapping[str, str]) -> str | None:
    """Return the marker that several keys amount to; empty for none, None where there is none."""
    python = _python(said.get("python", ""))
    if python is None:
        return None
    platform = said.get("platform", "")
    parts = [said.get("markers", ""), said.get("marker", ""), python]
    parts.append(f"sys_platform == '{platform}'" if platform else "")
    held = [part for part in parts if part]
    return " and ".join(f"({part})" if len(held) > 1 else part for part in held)


def _python(text: str) -> str | None:
    """Return a constraint on Python as a marker."""
    alternatives = []
    for alternative in re.split(r"\|\|?", text):
        specifier = _specifier(alternative)
        if specifier is None:
            return None
        pairs = re.findall(r"([<>=!~]+)([^,]+)", specifier)
        alternatives.append(
            " and ".join(f"{_variable(version)} {sign} '{version}'" for sign, version in pairs)
        )
    return "" if "" in alternatives else " or ".join(alternatives)


def _variable(version: str) -> str:
    whole = version.removesuffix(".*").count(".") > 1
    return "python_full_version" if whole else "python_version"


def _specifier(text: str) -> str | None:
    if "|" in text:
        return None
    parts = [_one(part.strip()) for part in _AND.split(text) if part.strip()]
    return None if None in parts else ",".join(part for part in parts if part)


def _one(text: str) -> str | None:
    if text == "*":
        return ""
    match = re.fullmatch(r"([\^~]?)\s*v?([0-9]+(?:\.[0-9]+)*)(\S*)", text)
    if match is None:
        return text.replace(" ", "") if re.match(r"[<>=!~]=?", text) else None
    sign, digits, rest = match.groups()
    numbers = [int(part) for part in digits.split(".")]
    if not sign:
        return f"=={digits}{rest}"
    if sign == "^":
        # Up to the first number that is not zero may stay; the last given one where all are.
        at = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
    else:
        at = min(1, len(numbers) - 1)
    upper = [*numbers[:at], numbers[at] + 1]
    return f">={digits}{rest},<{'.'.join(map(str, upper))}"
