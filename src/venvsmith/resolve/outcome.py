"""Writes what a run has resolved, all of it or nothing, and tells what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvsmith.files import write_files
from venvsmith.lock.bases import bases_path, emit_bases
from venvsmith.lock.sizes import emit_sizes, sizes_path
from venvsmith.lock.store import lock_path, orphans, tools_path
from venvsmith.lock.text import emit_lock, emit_tools
from venvsmith.lock.wheels import FOLDER, RECORD, emit_wheels, stray_wheels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvsmith.lock.sizes import Sizes
    from venvsmith.lock.wheels import Built
    from venvsmith.model.lock import Lock, Pin
    from venvsmith.model.project import LockKey, Project


@dataclass(frozen=True, kw_only=True, slots=True)
class LockChange:
    """What became of one lockfile."""

    path: Path
    pins: int
    """How many it holds now; 0 where it was removed."""
    of: str = "pin"
    """What one of them is."""
    new: bool
    """Whether there was none before."""
    moved: tuple[tuple[str, str | None, str | None], ...] = ()
    """Name, version before and after; None where it was or is not locked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockReport:
    """What a run changed on disk, and what it left as it was."""

    changed: tuple[LockChange, ...]
    unchanged: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run has resolved.

    :param old: the locks on disk before, None where there was none.
    :param locks: the locks of the families that were resolved.
    :param pylocks: PEP 751 files to write, with the lock that each belongs to.
    :param tools: the lock of the build tools, None where the project needs none.
    :param bases: base images to their digests.
    :param sizes: of the wheels of all locks.
    """

    old: Mapping[LockKey, Lock | None]
    locks: tuple[Lock, ...]
    pylocks: tuple[tuple[Path, str, Lock], ...]
    tools: tuple[Pin, ...] | None
    bases: Mapping[str, str]
    sizes: Sizes
    wheels: Mapping[str, Built]
    """What stands for requirements with an address, by their keys."""


def write_outcome(project: Project, outcome: Outcome, keys: Iterable[LockKey]) -> LockReport:
    """Write locks, and remove what the configuration no longer asks for, as one change.

    :param keys: the locks that the run was about.
    :raises SurroundingsError: where the disk refuses; nothing has changed then.
    """
    texts: dict[Path, bytes | None] = dict.fromkeys(orphans(project))
    changes = {path: LockChange(path=path, pins=0, new=False) for path in texts}
    for lock in outcome.locks:
        path = lock_path(project, lock.key)
        texts[path] = emit_lock(lock).encode()
        changes[path] = _change(path, outcome.old[lock.key], lock.pins)
    for path, text, lock in outcome.pylocks:
        texts[path] = text.encode()
        changes[path] = LockChange(path=path, pins=len(lock.pins), new=not path.exists())
    if outcome.tools is not None:
        path = tools_path(project)
        texts[path] = emit_tools(outcome.tools).encode()
        changes[path] = LockChange(path=path, pins=len(outcome.tools), new=not path.exists())
    path = bases_path(project)
    if outcome.bases or path.exists():
        texts[path] = emit_bases(outcome.bases).encode() if outcome.bases else None
        changes[path] = LockChange(
            path=path, pins=len(outcome.bases), of="base image", new=not path.exists()
        )
    _add_wheels(project, outcome.wheels, texts, changes)
    path = sizes_path(project)
    texts[path] = emit_sizes(outcome.sizes).encode() if any(outcome.sizes.values()) else None
    written = write_files(texts)
    everything = [lock_path(project, key) for key in keys]
    return LockReport(
        changed=tuple(changes[path] for path in texts if path in written and path in changes),
        unchanged=tuple(path for path in everything if path not in written),
    )


def _add_wheels(
    project: Project,
    wheels: Mapping[str, Built],
    texts: dict[Path, bytes | None],
    changes: dict[Path, LockChange],
) -> None:
    folder = project.root / project.locks
    for path in stray_wheels(project, wheels):
        texts[path] = None
        changes[path] = LockChange(path=path, pins=0, new=False)
    for wheel in wheels.values():
        texts[folder / FOLDER / wheel.file] = wheel.path.read_bytes()
    path = folder / RECORD
    if wheels or path.exists():
        texts[path] = emit_wheels(wheels).encode() if wheels else None
        changes[path] = LockChange(
            path=path, pins=len(wheels), of="built wheel", new=not path.exists()
        )


def _change(path: Path, old: Lock | None, pins: tuple[Pin, ...]) -> LockChange:
    before = {} if old is None else {pin.name: pin.version for pin in old.pins}
    after = {pin.name: pin.version for pin in pins}
    moved = tuple(
        (name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )
    return LockChange(path=path, pins=len(pins), new=old is None, moved=moved)
