"""What a run is about: the locks that its options name, and which of them are out of date."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.errors import UsageError
from venvsmith.lock.drift import find_drift
from venvsmith.lock.inputs import lock_inputs
from venvsmith.lock.source import build_inputs, build_keys
from venvsmith.lock.store import find_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvsmith.lock.inputs import Inputs
    from venvsmith.lock.wheels import Built
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey, Platform, Project

Place = tuple[str, str, "Platform"]
"""A family: its root stage, the variant, the platform."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockOptions:
    """What to lock, and how freely.

    :param stages: stages whose families are locked; all where empty.
    :param variants: variants to lock; all where empty.
    :param upgrade: forget the versions that are locked.
    :param upgrade_packages: forget the versions of these names.
    :param offline: use only what is in the resolver's cache.
    """

    stages: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    offline: bool = False
    pylock: bool = False
    """Whether a PEP 751 file goes beside each lock; one that is there is kept up to date."""


def selected(
    project: Project, options: LockOptions, built: Mapping[str, Built]
) -> dict[LockKey, Inputs]:
    """Return the inputs of the locks that the options name: a stage stands for its family.

    :param built: the wheels that stand for requirements with an address.
    :raises UsageError: where the configuration does not have such a stage or variant.
    """
    for kind, names, known in (
        ("stage", options.stages, project.stages),
        ("variant", options.variants, project.variants),
    ):
        for name in names:
            if name not in known:
                message = f"there is no {kind} '{name}'"
                raise UsageError(message, where=project.file.name, hint=_meant(name, known))
    roots = {_root(project, stage) for stage in options.stages}
    chosen = {
        key: lock_inputs(project, key, built)
        for key in project.lock_keys()
        if (not roots or _root(project, key.stage) in roots)
        and (not options.variants or key.variant in options.variants)
    }
    stages = {key.stage for key in chosen}
    return chosen | {
        key: build_inputs(project, key) for key in build_keys(project) if key.stage in stages
    }


def find_locks(project: Project) -> dict[LockKey, Lock | None]:
    """Read every lock of stages, and of what builds their sources; None where there is none."""
    keys = (*project.lock_keys(), *build_keys(project))
    return {key: find_lock(project, key) for key in keys}


def stale_families(
    inputs: Mapping[LockKey, Inputs], old: Mapping[LockKey, Lock | None], options: LockOptions
) -> dict[Place, dict[LockKey, Inputs]]:
    """Return the families in which something is out of date, or all where that is asked for."""
    families: dict[Place, dict[LockKey, Inputs]] = {}
    for key, wanted in inputs.items():
        place = (wanted.chain[0].stage, key.variant, key.platform)
        families.setdefault(place, {})[key] = wanted
    return {
        place: keys
        for place, keys in families.items()
        if options.upgrade or options.upgrade_packages or find_drift(keys, old)
    }


def refuse_unknown_upgrades(options: LockOptions, locks: Iterable[Lock | None]) -> None:
    """Refuse to upgrade what is locked nowhere.

    :raises UsageError: with the name that was perhaps meant.
    """
    known = sorted({name for lock in locks if lock is not None for name in lock.names()})
    for name in options.upgrade_packages:
        if canonicalize_name(name) not in known:
            message = f"'{name}' is in none of the locks"
            hint = _meant(canonicalize_name(name), known)
            raise UsageError(message, where="--upgrade-package", hint=hint)


def _root(project: Project, stage: str) -> str:
    return project.ancestry(stage)[0].name


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else f"there is {', '.join(known) or 'none'}"
