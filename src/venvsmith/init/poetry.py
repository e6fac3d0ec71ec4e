"""Poetry's version constraints as PEP 508 requirements.

The forms are those of ``python-poetry.org/docs/dependency-specification``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement


def requirement_of(name: str, value: Any) -> str | None:
    """Return the requirement of a poetry dependency, or of a git or URL source of uv's.

    :param value: a constraint, or a table with it; None comes back where it has no such form.
    """
    table: Mapping[str, Any] = value if isinstance(value, Mapping) else {"version": value}
    extras = table.get("extras") or []
    full = f"{name}[{','.join(map(str, extras))}]" if extras else name
    marker = f" ; {table['markers']}" if isinstance(table.get("markers"), str) else ""
    if isinstance(table.get("git"), str):
        url = table["git"]
        url = url if url.startswith("git+") else f"git+{url}"
        revision = table.get("rev") or table.get("tag") or table.get("branch")
        text = f"{full} @ {url}{f'@{revision}' if revision else ''}{marker}"
    elif isinstance(table.get("url"), str):
        text = f"{full} @ {table['url']}{marker}"
    elif isinstance(table.get("version"), str):
        specifier = _specifier(table["version"])
        if specifier is None:
            return None
        text = f"{full}{specifier}{marker}"
    else:
        return None
    try:
        Requirement(text)
    except InvalidRequirement:
        return None
    return text


def _specifier(text: str) -> str | None:
    if "||" in text or "|" in text:
        return None
    parts = [_one(part.strip()) for part in text.split(",") if part.strip()]
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
