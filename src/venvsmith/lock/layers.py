"""What a stage adds to its parent: the content of its image layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.errors import JudgedError

if TYPE_CHECKING:
    from venvsmith.model.lock import Lock, Pin


def delta(child: Lock, parent: Lock | None) -> tuple[Pin, ...]:
    """Return the pins of a lock that its parent's lock does not have, sorted by name.

    :param parent: the lock of the stage that the child's extends, None for a root stage.
    :raises JudgedError: where the child lacks a pin of the parent's, or has it otherwise.
    """
    if parent is None:
        return child.pins
    problem = not_additive(child, parent)
    if problem:
        raise JudgedError(
            problem,
            where=child.key.filename,
            hint="run 'venvsmith lock'",
            code="lock-not-additive",
        )
    above = parent.names()
    return tuple(pin for pin in child.pins if pin.name not in above)


def not_additive(child: Lock, parent: Lock) -> str:
    """Return in words which pin of the parent's a lock lacks or changes; empty where none."""
    own = {pin.name: pin for pin in child.pins}
    for pin in parent.pins:
        found = own.get(pin.name)
        if found is None:
            return f"it lacks {pin.requirement()} of {parent.key.filename}"
        if found.version != pin.version:
            return f"it has {found.requirement()} where {parent.key.filename} has {pin.version}"
        if found.hashes != pin.hashes:
            return f"the hashes of {pin.requirement()} differ from those in {parent.key.filename}"
    return ""
