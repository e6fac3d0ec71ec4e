"""Does the index still offer what is locked? A removed, replaced or yanked file is drift too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from venvsmith.lock.drift import Drift
from venvsmith.resolve.protocol import Request, Unsolvable
from venvsmith.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from threading import Event

    from venvsmith.lock.inputs import Environment, Inputs
    from venvsmith.model.lock import Lock, Pin
    from venvsmith.model.project import LockKey
    from venvsmith.resolve.protocol import Resolver, Solved

_THREADS = 2


def find_withdrawn(
    locks: Mapping[LockKey, Lock],
    inputs: Mapping[LockKey, Inputs],
    resolver: Resolver,
    *,
    stop: Event,
) -> tuple[Drift, ...]:
    """Return what the index no longer offers as it was locked, a line for each distribution.

    Asks for the pages of the index alone, and for no file.

    :param stop: set where one question fails or the user interrupts; the resolver ends by it.
    :raises SurroundingsError: where the network or an index fails.
    """

    def ask(key: LockKey) -> list[Drift]:
        reasons = _withdrawn(locks[key].pins, inputs[key].environment, resolver)
        return [Drift(file=key.filename, reason=reason) for reason in reasons]

    asked = [partial(ask, key) for key in _largest(locks)]
    found = together(asked, workers=_THREADS, stop=stop)
    return tuple(drift for drifts in found for drift in drifts)


def _largest(locks: Mapping[LockKey, Lock]) -> Iterator[LockKey]:
    """Yield the locks that no other one contains: a child's has all pins of its parent's."""
    for key, lock in locks.items():
        pins = set(lock.pins)
        containing = [
            other
            for other in locks.values()
            if (other.key.variant, other.key.platform) == (key.variant, key.platform)
            and pins < set(other.pins)
        ]
        if not containing:
            yield key


def _withdrawn(pins: Sequence[Pin], environment: Environment, resolver: Resolver) -> Iterator[str]:
    """Yield a reason for each pin that is not offered as it was locked."""
    left = {pin.name: pin for pin in pins}
    while left:
        request = Request(
            requirements=tuple(pin.requirement() for pin in left.values()),
            environment=environment,
            alone=True,
        )
        answer = resolver.solve(request)
        if not isinstance(answer, Unsolvable):
            yield from _changed(left, answer)
            return
        gone = [left.pop(name) for name in sorted(answer.missing) if name in left]
        if not gone:
            yield f"the index does not offer all of it: {answer.explanation}"
            return
        for pin in gone:
            yield f"{pin.requirement()} is offered no longer"


def _changed(locked: Mapping[str, Pin], offered: Solved) -> Iterator[str]:
    for pin in offered.pins:
        before = locked.get(pin.name)
        locked_files = set(before.hashes) if before is not None else set()
        # A listing without hashes tells that the version is there, and no more.
        lost = locked_files - set(pin.hashes) if pin.hashes else set()
        if lost:
            count = f"{len(lost)} of its {len(locked_files)} locked files"
            yield f"{pin.requirement()}: {count} were removed or replaced, {min(lost)} for one"
        if pin.name in offered.yanked:
            yield f"{pin.requirement()} was yanked: {offered.yanked[pin.name]}"
