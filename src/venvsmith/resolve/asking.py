"""How resolvers are asked alike: what they are given to read, and how long they may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from venvsmith.network import credentials_in
from venvsmith.patience import TOOL, patience

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from venvsmith.lock.inputs import Environment
    from venvsmith.resolve.protocol import Request


def answer_seconds() -> float:
    """Return how long a resolver may take for one answer.

    :raises UsageError: where the user's own number is none.
    """
    return patience(TOOL, 900.0)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a file of requirements."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def link_options(environment: Environment, root: Path) -> Iterator[str]:
    """Yield the options that name further places of wheels.

    :param root: where relative ones start.
    """
    for link in environment.find_links:
        yield "--find-links"
        yield link if "://" in link else str(root / link)


def with_wheels(request: Request) -> tuple[str, ...]:
    """Return the requirements, those that a built wheel stands for with the wheel's address.

    No index has a part in them then, not even one that offers the name.
    """
    wheels = {f"{wheel.name}=={wheel.version}": wheel for wheel in request.environment.built}
    lines: list[str] = []
    for line in request.requirements:
        requirement = Requirement(line)
        wheel = wheels.get(f"{canonicalize_name(requirement.name)}{requirement.specifier}")
        if wheel is not None:
            requirement.specifier = SpecifierSet()
            requirement.url = wheel.path.resolve().as_uri()
        lines.append(str(requirement))
    return tuple(lines)


def until(moment: str) -> str:
    """Return a moment as uv takes it anywhere alike: a bare day's end is in the machine's zone."""
    return moment if "T" in moment else f"{moment}T23:59:59.999999Z"


def secrets_of(url: str) -> tuple[str, ...]:
    """Return the parts of an address that must not be shown; see `routes.hidden`."""
    login = credentials_in(url)
    user, _, password = login.partition(":")
    return tuple(part for part in (login, password or user) if part)
