"""A frozen application beside the environment that it was frozen from, or another frozen one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from venvsmith.compare.snapshot import Snapshot

if TYPE_CHECKING:
    from venvsmith.compare.snapshot import Part
    from venvsmith.model.comparison import DifferenceKind


class Held(Protocol):
    """What one side holds, as `venvsmith.bundle.inventory` has it."""

    @property
    def modules(self) -> Collection[str]:
        """Full names of modules."""

    @property
    def files(self) -> Collection[str]:
        """Data files."""

    @property
    def libraries(self) -> Collection[str]:
        """Names of shared objects that are no modules."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Distributions whose metadata are there, with their versions."""


def holding(snapshot: Snapshot, held: Held | None) -> Snapshot:
    """Return a snapshot with what its packages hold, in place of what a bundle does not have.

    :param held: None where that is not known: only Python and the packages are compared then.
    """
    version = snapshot.parts.get("python", {}).get("version", "")
    minor = ".".join(version.split(".")[:2])
    parts: dict[DifferenceKind, Part] = {"python": {"version": minor}}
    if held is not None:
        parts["module"] = dict.fromkeys(held.modules, "present")
        parts["data"] = dict.fromkeys(held.files, "present")
        parts["library"] = dict.fromkeys(held.libraries, "present")
        parts["metadata"] = held.metadata
    return replace(
        snapshot,
        parts=parts,
        wanted=frozenset(held.libraries) if held is not None else frozenset(),
        frozen=True,
        why_not=f"{snapshot.name} is neither a bundle nor a venv's folder",
    )
