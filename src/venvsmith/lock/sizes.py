"""The compressed size of each locked wheel, recorded beside the locks in ``sizes.json``.

A size belongs to the wheel that would be installed on the lock's platform. Sizes say how to cut
layers and how much disk and transfer a build needs; no resolution depends on them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from venvsmith.lock.record import read_record, refuse_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvsmith.model.lock import Lock, Pin
    from venvsmith.model.project import LockKey, Project

SIZES_NAME = "sizes.json"
SCHEMA = "venvsmith/sizes/1"

Sizes = dict[str, dict[str, int | None]]
"""Place (`place_of`) to ``name==version`` to bytes; None where it was asked for and nobody tells.
An entry that is missing has not been asked for yet."""


def sizes_path(project: Project) -> Path:
    """Return where the sizes lie."""
    return project.root / project.locks / SIZES_NAME


def place_of(key: LockKey) -> str:
    """Return for what a lock's wheels are: ``cuda``, or ``cpu-arm64``."""
    return key.stem.removeprefix(f"{key.stage}.")


def read_sizes(project: Project) -> Sizes:
    """Read all recorded sizes; empty where none are recorded.

    :raises UnsafeInputError: where the file is not what `emit_sizes` writes.
    """
    found = read_record(
        sizes_path(project),
        _wheels,
        root=project.root,
        what="wheel sizes",
        hint="delete it and lock again",
        code="sizes-malformed",
    )
    return found or {}


def sizes_of(sizes: Sizes, key: LockKey, pins: Iterable[Pin]) -> dict[str, int]:
    """Return the compressed sizes of pinned wheels.

    :param sizes: the record (`read_sizes`).
    :param key: the lock that the pins are of.
    :return: normalised name to bytes; a pin whose size is unknown is not in it.
    """
    known = sizes.get(place_of(key), {})
    found = ((pin.name, known.get(pin.requirement())) for pin in pins)
    return {name: size for name, size in found if size is not None}


def kept_sizes(sizes: Sizes, locks: Iterable[Lock]) -> Sizes:
    """Return the entries that belong to pins of these locks; the others are dropped."""
    kept: Sizes = {}
    for lock in locks:
        place = place_of(lock.key)
        known = sizes.get(place, {})
        wanted = (pin.requirement() for pin in lock.pins)
        kept.setdefault(place, {}).update((pin, known[pin]) for pin in wanted if pin in known)
    return kept


def emit_sizes(sizes: Mapping[str, Mapping[str, int | None]]) -> str:
    """Return the file's text: equal sizes give equal text."""
    wheels = {place: dict(entries) for place, entries in sizes.items() if entries}
    return json.dumps({"schema": SCHEMA, "wheels": wheels}, indent=1, sort_keys=True) + "\n"


def _wheels(content: Any) -> Sizes:
    refuse_schema(content, SCHEMA)
    return {
        str(place): {str(pin): _size(value) for pin, value in entries.items()}
        for place, entries in content["wheels"].items()
    }


def _size(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        message = f"{value!r:.60} is no size"
        raise ValueError(message)
    return value
