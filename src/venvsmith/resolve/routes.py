"""Routes: names that come from an index of their own and from nowhere else, direct or not.

uv routes only what a project asks for directly. So every matching name that turns up in an answer,
or in the proof that there is none, is asked for directly and routed, and the question is put again
until none turns up. What was asked for in vain is taken out of the answer afterwards.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from venvsmith.model.project import index_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvsmith.model.lock import Pin
    from venvsmith.model.project import Index
    from venvsmith.resolve.protocol import Request

PROJECT = "venvsmith-request"
"""Name of the project that stands for a request, as it shows up among the parents of a pin."""


def direct_names(request: Request) -> frozenset[str]:
    """Return the normalised names that a request asks for itself."""
    return frozenset(canonicalize_name(Requirement(line).name) for line in request.requirements)


def routed_names(names: Iterable[str], indexes: Sequence[Index]) -> frozenset[str]:
    """Return those of the names that have an index of their own."""
    return frozenset(name for name in names if index_of(name, indexes) is not None)


def names_in(text: str) -> frozenset[str]:
    """Return all words of a text that may be names of distributions."""
    return frozenset(
        canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", text)
    )


def request_project(request: Request, routed: frozenset[str]) -> str:
    """Return a pyproject.toml that asks for what a request does, and for the routed names."""
    indexes = request.environment.indexes
    extra = sorted(routed - direct_names(request))
    lines = [
        "[project]",
        f'name = "{PROJECT}"',
        'version = "0"',
        f'requires-python = ">={request.environment.python}"',
        f"dependencies = {json.dumps([*request.requirements, *extra])}",
        "[tool.uv.sources]",
    ]
    for name in sorted(routed):
        index = index_of(name, indexes)
        if index is not None:
            lines.append(f"{json.dumps(name)} = {{ index = {json.dumps(index.name)} }}")
    for index in indexes:
        lines += ["[[tool.uv.index]]", f"name = {json.dumps(index.name)}"]
        lines += [f"url = {json.dumps(index.url)}", "explicit = true"]
    return "\n".join(lines) + "\n"


def needed(
    pins: Sequence[Pin], parents: Mapping[str, frozenset[str]], request: Request
) -> tuple[Pin, ...]:
    """Return the pins without those that only a routed name in vain has pulled in.

    :param parents: for each name, the names that ask for it.
    """
    wanted = set(direct_names(request))
    grown = True
    while grown:
        more = {name for name, above in parents.items() if above & wanted} - wanted
        wanted |= more
        grown = bool(more)
    return tuple(pin for pin in pins if pin.name in wanted)


def credentials(indexes: Iterable[Index], own: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell uv each index's user and password, from ours."""
    found: dict[str, str] = {}
    for index in indexes:
        for variable in index.variables:
            if own.get(variable):
                found[variable.replace("VENVSMITH", "UV", 1)] = own[variable]
    return found


def hidden(indexes: Iterable[Index], own: Mapping[str, str]) -> tuple[str, ...]:
    """Return what of the indexes' logins must not be shown: a user, a token then, only where alone.

    A user beside a password may have the name of a distribution, which has to be read.
    """
    logins = ([own.get(variable, "") for variable in index.variables] for index in indexes)
    return tuple(password or user for user, password in logins if password or user)
