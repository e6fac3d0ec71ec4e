"""What a resolver is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.lock.inputs import Environment
    from venvsmith.model.lock import Pin


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One question: versions that meet the requirements in an environment."""

    requirements: tuple[str, ...]
    environment: Environment
    constraints: tuple[str, ...] = ()
    """Bounds on what the requirements pull in; they pull in nothing themselves."""
    preferences: tuple[Pin, ...] = ()
    """Versions to keep where they can be kept; their hashes do not matter."""
    alone: bool = False
    """Whether only the requirements are asked for, without what they need themselves; of a listing
    without hashes they come without."""
    known: bool = False
    """Whether an earlier answer contains this one, so that a cache is enough to find it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solved:
    """The distributions with all hashes that the index lists, sorted by name."""

    pins: tuple[Pin, ...]
    yanked: Mapping[str, str] = field(default_factory=dict)
    """Those that were withdrawn by their maker but were asked for by version, and why."""

    def versions(self) -> dict[str, str]:
        """Return normalised name to version."""
        return {pin.name: pin.version for pin in self.pins}


Reason = Literal["conflict", "bad-pair", "no-wheel", "no-wheel-here", "unknown"]
"""Requirements that exclude each other · versions that are known to break together · nothing but
sources · wheels for other places alone · a name that no index has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsolvable:
    """No versions meet the requirements, or an index lacks one: not worth a retry."""

    explanation: str
    """Why, in clauses, addresses redacted; a requirement stands there as "you require x>=1"."""
    why: Reason = "conflict"
    missing: frozenset[str] = frozenset()
    """The names that the index does not have at all, or not in the version that is asked for."""


Answer = Solved | Unsolvable


class Resolver(Protocol):
    """Finds versions. Safe to call from several threads at once."""

    @property
    def label(self) -> str:
        """Return the resolver and its version, ``uv 0.13.8``."""
        ...

    def solve(self, request: Request) -> Answer:
        """Answer a request.

        :raises SurroundingsError: where the network, an index or the disk fails.
        """
        ...

    def pylock(self, request: Request) -> str:
        """Return a PEP 751 file for a request whose constraints pin every version.

        :raises JudgedError: where the resolver cannot write one.
        :raises SurroundingsError: as `solve` does.
        """
        ...
