"""Holds the locks on disk against the configuration. Needs no network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvsmith.errors import JudgedError
from venvsmith.files import locked
from venvsmith.lock.bases import NAME as BASES_NAME
from venvsmith.lock.bases import base_images, read_bases
from venvsmith.lock.drift import Drift, find_drift
from venvsmith.lock.inputs import direct_requirements, lock_inputs
from venvsmith.lock.pylock import pylock_inputs, pylock_path
from venvsmith.lock.store import find_lock, find_tools, needs_tools, orphans, tools_path
from venvsmith.lock.wheels import FOLDER, RECORD, find_wheels, stale_reason, stray_wheels
from venvsmith.resolve.asked import LockOptions, find_locks, selected
from venvsmith.resolve.offered import find_withdrawn
from venvsmith.resolve.uv import UvResolver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from venvsmith.lock.inputs import Inputs
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey, Project


def check_project(project: Project, options: LockOptions) -> tuple[Drift, ...]:
    """Return how the locks differ from what the configuration asks for.

    Changes nothing, but for finishing what a killed run began.

    :raises UsageError: where an option names what the configuration does not have.
    :raises UnsafeInputError: where a lock is malformed.
    """
    with locked(project.root):
        inputs = selected(project, options, find_wheels(project))
        locks = find_locks(project)
    drift = [*_wheel_drift(project), *_lock_drift(inputs, locks)]
    if needs_tools(project) and find_tools(project) is None:
        drift.append(Drift(file=tools_path(project).name, reason="it does not exist yet"))
    drift += [
        Drift(file=key.pylock_filename, reason="it was made beside another lock")
        for key, lock in locks.items()
        if key in inputs and lock is not None and _pylock_stale(project, lock)
    ]
    drift += [
        Drift(file=BASES_NAME, reason=f"the configuration does not build on {image}")
        for image in sorted(read_bases(project).keys() - set(base_images(project)))
    ]
    drift += [
        Drift(file=path.name, reason="the configuration does not ask for it")
        for path in orphans(project)
    ]
    return tuple(drift)


def refuse_drift(project: Project) -> None:
    """Stop before anything is made from locks that the configuration has moved away from.

    :raises JudgedError: code ``drift``: what differs first.
    """
    _refuse(project, check_project(project, LockOptions(offline=True)))


def refuse_drift_of(project: Project, locks: Collection[Lock]) -> None:
    """Stop before anything is judged by some locks that the configuration has moved away from.

    Only what these are made from is read, their parents' locks too, and no run beside this one is
    waited for.

    :raises ConfigError: where what the locks are made from is not there.
    :raises JudgedError: code ``drift``: what differs first.
    """
    built = find_wheels(project)
    inputs = {lock.key: lock_inputs(project, lock.key, built) for lock in locks}
    parents = {
        replace(key, stage=stage.name)
        for key in inputs
        for stage in project.ancestry(key.stage)[-2:-1]
    }
    found = {key: find_lock(project, key) for key in parents}
    _refuse(project, _lock_drift(inputs, found | {lock.key: lock for lock in locks}))


def _refuse(project: Project, drift: Sequence[Drift]) -> None:
    if drift:
        more = f" (and {len(drift) - 1} more)" if drift[1:] else ""
        raise JudgedError(
            f"{drift[0].reason}{more}",
            where=f"{project.locks}/{drift[0].file}",
            hint="run 'venvsmith lock'",
            code="drift",
        )


def check_offered(
    project: Project, options: LockOptions, *, detail: Callable[[str], None] | None = None
) -> tuple[Drift, ...]:
    """Return what the index no longer offers as it was locked: removed, replaced, yanked.

    :raises SurroundingsError: where the network or an index fails.
    """
    inputs = selected(project, options, find_wheels(project))
    locks = {key: lock for key in inputs if (lock := find_lock(project, key)) is not None}
    uv = UvResolver(project.root, say=detail)
    return find_withdrawn(locks, inputs, uv, stop=uv.stop)


def _lock_drift(
    inputs: Mapping[LockKey, Inputs], locks: Mapping[LockKey, Lock | None]
) -> tuple[Drift, ...]:
    # A lock of the other resolver will do: `lock --resolver` is for that.
    wanted = {
        key: replace(each, resolver=lock.resolver.partition(" ")[0])
        if (lock := locks.get(key)) is not None
        else each
        for key, each in inputs.items()
    }
    return find_drift(wanted, locks)


def _wheel_drift(project: Project) -> Iterator[Drift]:
    wanted, built = direct_requirements(project), find_wheels(project)
    for key, requirement in wanted.items():
        reason = stale_reason(project, built.get(key), requirement.url or "")
        if reason:
            yield Drift(file=RECORD, reason=f"{key}: {reason}")
    for key in sorted(built.keys() - wanted.keys()):
        yield Drift(file=RECORD, reason=f"the configuration does not ask for {key}")
    for path in stray_wheels(project, built):
        yield Drift(file=f"{FOLDER}/{path.name}", reason="the configuration does not ask for it")


def _pylock_stale(project: Project, lock: Lock) -> bool:
    path = pylock_path(project, lock.key)
    return path.exists() and pylock_inputs(path) != lock.inputs
