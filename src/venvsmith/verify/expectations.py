"""What to hold a target against: a lockfile, a stage of the configuration, a manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker, UndefinedComparison
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from venvsmith.errors import UsageError
from venvsmith.model.expected import Expected
from venvsmith.model.lock import Pin
from venvsmith.model.plan import MANIFEST_SCHEMA
from venvsmith.rules.framework.view import View
from venvsmith.verify.locked import read_locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from venvsmith.model.expected import LockedPin
    from venvsmith.model.facts import Environment, Facts
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import Project


def from_lock_file(path: Path) -> Expected:
    """Read what a lockfile names: ours, any requirements file of ``==`` pins, or a pylock.

    :raises UsageError: where it, or a file that it includes, is not there.
    :raises UnsafeInputError: where it holds something else than pins.
    """
    locked, left_out = read_locked(path)
    return Expected(pins={}, locked=locked, left_out=left_out, source=str(path))


def hashed_pins(path: Path) -> tuple[Pin, ...]:
    """Return the pins of a lockfile with the hashes that it admits for each, whatever its marker.

    :raises UsageError: as `from_lock_file` does.
    :raises UnsafeInputError: as `from_lock_file` does.
    """
    return tuple(
        sorted(
            Pin(name=each.name, version=each.version, hashes=each.hashes)
            for each in read_locked(path)[0]
            if each.version is not None
        )
    )


def from_stage(
    project: Project,
    stage: str,
    lock: Lock,
    *,
    path: str | None = None,
    trees: Mapping[str, str] | None = None,
) -> Expected:
    """Return what a stage of the configuration promises: its pins, imports and commands.

    :param lock: of the stage in one variant; of one that has several platforms, one for each, of
        which `suited` takes the target's.
    :param path: where its environment lies; the project's venv where None.
    :param trees: what earlier builds recorded of its layers.
    """
    ancestry = project.ancestry(stage)
    return Expected(
        name=stage,
        path=path or project.venv,
        pins={pin.name: pin.version for pin in lock.pins},
        imports=tuple(dict.fromkeys(name for s in ancestry for name in s.imports)),
        commands=tuple(dict.fromkeys(argv for s in ancestry for argv in s.commands)),
        machine="" if lock.key.single else lock.key.platform.machine,
        variant=lock.key.variant,
        trees=trees or {},
        source=f"{project.locks}/{lock.key.filename}",
    )


def from_manifest(env: Environment) -> Expected | None:
    """Return what the environment's own manifest promises; None where it has none that reads."""
    if env.manifest is None:
        return None
    try:
        data: Any = json.loads(env.manifest)
        if data["schema"] != MANIFEST_SCHEMA:
            return None
        return Expected(
            name=str(data["stage"]),
            path=env.path,
            pins={canonicalize_name(str(k)): str(v) for k, v in data["pins"].items()},
            imports=tuple(str(name) for name in data["imports"]),
            commands=tuple(tuple(str(word) for word in argv) for argv in data["commands"]),
            variant=str(data.get("variant", "")),
            source=f"{env.path}/.venvsmith/manifest.json",
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def united(first: Expected, second: Expected) -> Expected:
    """Return both together; the first one's pins, name and source win."""
    pinned = first if first.pins is not None else second
    return replace(
        first,
        name=first.name or second.name,
        path=first.path or second.path,
        pins=pinned.pins,
        named=pinned.named,
        locked=pinned.locked,
        left_out=pinned.left_out,
        imports=tuple(dict.fromkeys((*first.imports, *second.imports))),
        commands=tuple(dict.fromkeys((*first.commands, *second.commands))),
        variant=first.variant or second.variant,
        trees={**second.trees, **first.trees},
        source=pinned.source,
    )


def suited(facts: Facts, expectations: Iterable[Expected]) -> tuple[Expected, ...]:
    """Return those that are for the target's machine; for the first one where it is not known.

    :raises UsageError: where a lock was named for several machines, and this is none of them.
    """
    every = tuple(expectations)
    machines = list(dict.fromkeys(each.machine for each in every if each.machine))
    if not machines:
        return every
    here = facts.system.machine or machines[0]
    if here not in machines:
        raise UsageError(
            f"the target is for {here}, and there are locks for {' and '.join(machines)}",
            where=facts.target.ref,
            hint="add its platform to the variant, or name a lock with --lock FILE",
        )
    return tuple(each for each in every if each.machine in {"", here})


def assign(facts: Facts, expectations: Iterable[Expected]) -> Mapping[str, Expected]:
    """Return what is expected of each environment: what was said, and its manifest otherwise.

    An expectation without a path is meant for the environment in use, the first one.
    """
    assigned: dict[str, Expected] = {}
    for expected in expectations:
        path = _place(facts, expected)
        if path is not None:
            have = assigned.get(path)
            assigned[path] = united(have, expected) if have else expected
    for env in facts.environments:
        own = from_manifest(env)
        if own is not None:
            said = assigned.get(env.path)
            assigned[env.path] = united(said, own) if said else own
    return {
        env.path: settled(assigned[env.path], View(facts, env, assigned[env.path]).markers)
        for env in facts.environments
        if env.path in assigned
    }


def settled(expected: Expected, markers: Mapping[str, str]) -> Expected:
    """Return what is expected where these values hold: what a lockfile names under them."""
    here = [each for each in expected.locked if _counts(each, markers)]
    pins = {each.name: each.version for each in here if each.version is not None}
    return replace(
        expected,
        pins=None if expected.pins is None else {**expected.pins, **pins},
        named=expected.named | {each.name for each in here if each.version is None},
        locked=(),
    )


def _counts(pin: LockedPin, markers: Mapping[str, str]) -> bool:
    if not pin.marker:
        return True
    values: dict[str, str | AbstractSet[str]] = {**markers, "extra": ""}
    values["dependency_groups"] = frozenset(pin.groups)
    try:
        return Marker(pin.marker).evaluate(values, context="lock_file")
    except (UndefinedComparison, InvalidVersion):
        return False


def _place(facts: Facts, expected: Expected) -> str | None:
    paths = [env.path for env in facts.environments]
    if expected.path in paths:
        return expected.path
    return paths[0] if paths else None
