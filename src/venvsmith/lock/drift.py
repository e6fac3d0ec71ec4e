"""What differs between the configuration and the locks on disk, told in words. Needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from venvsmith.data.pairs import mismatches
from venvsmith.lock.layers import not_additive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvsmith.lock.inputs import Inputs
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One lockfile that is not what the configuration asks for, and why."""

    file: str
    """Name below the folder of the locks."""
    reason: str


def find_drift(
    inputs: Mapping[LockKey, Inputs], locks: Mapping[LockKey, Lock | None]
) -> tuple[Drift, ...]:
    """Return what is wrong with the locks, in the order of the keys.

    :param inputs: what each lock is to be made from.
    :param locks: what is on disk, None where there is nothing; also those of parents.
    """
    return tuple(
        Drift(file=key.filename, reason=reason)
        for key, wanted in inputs.items()
        for reason in _reasons(key, wanted, locks)
    )


def _reasons(key: LockKey, inputs: Inputs, locks: Mapping[LockKey, Lock | None]) -> Iterator[str]:
    lock = locks.get(key)
    if lock is None:
        yield "it does not exist yet"
        return
    if inputs.digest(lock.pins) != lock.inputs:
        yield "; ".join(_unmet(inputs, lock)) or "its inputs or the file itself have changed"
    parent = _parent(key, inputs, locks)
    problem = not_additive(lock, parent) if parent is not None else ""
    if problem:
        yield problem
    yield from map(str, mismatches({pin.name: pin.version for pin in lock.pins}))


def _parent(key: LockKey, inputs: Inputs, locks: Mapping[LockKey, Lock | None]) -> Lock | None:
    if len(inputs.chain) == 1:
        return None
    name = inputs.chain[-2].stage
    return next(
        (
            lock
            for other, lock in locks.items()
            if (other.stage, other.variant, other.platform) == (name, key.variant, key.platform)
        ),
        None,
    )


def _unmet(inputs: Inputs, lock: Lock) -> Iterator[str]:
    """Yield the requirements of the chain that the pins do not meet."""
    markers = inputs.environment.markers()
    for stage in inputs.chain:
        for line in stage.requirements:
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate(markers):
                continue
            version = lock.version_of(canonicalize_name(requirement.name))
            if version is None:
                yield f"stage '{stage.stage}' asks for {line}, which is not in it"
            elif not requirement.specifier.contains(version, prereleases=True):
                yield f"stage '{stage.stage}' asks for {line}, and it has {version}"
