"""Locks a project: what is out of date, resolved; all of it written, or nothing."""

from __future__ import annotations

import difflib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.errors import JudgedError, UsageError
from venvsmith.files import locked
from venvsmith.lock.bases import NAME as BASES_NAME
from venvsmith.lock.bases import base_images, read_bases
from venvsmith.lock.drift import Drift, find_drift
from venvsmith.lock.inputs import Environment, lock_inputs
from venvsmith.lock.layers import not_additive
from venvsmith.lock.pylock import finish_pylock, pylock_inputs, pylock_path
from venvsmith.lock.sizes import read_sizes
from venvsmith.lock.source import BUILD_VARIANT, build_inputs, build_keys
from venvsmith.lock.store import find_lock, find_tools, needs_tools, orphans, tools_path
from venvsmith.model.lock import Lock, Pin
from venvsmith.resolve.bases import pin_bases
from venvsmith.resolve.joint import Family, Node, resolve_family
from venvsmith.resolve.offered import find_withdrawn
from venvsmith.resolve.outcome import LockReport, Outcome, write_outcome
from venvsmith.resolve.protocol import Request, Unsolvable
from venvsmith.resolve.sizes import find_sizes
from venvsmith.resolve.uv import UvResolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor
    from pathlib import Path

    from venvsmith.lock.inputs import Inputs
    from venvsmith.model.project import LockKey, Platform, Project
    from venvsmith.resolve.protocol import Resolver

THREADS = 2
"""Families resolved at once: more only contend for uv's cache and the index."""

_Place = tuple[str, str, "Platform"]
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


def check_project(project: Project, options: LockOptions) -> tuple[Drift, ...]:
    """Return how the locks differ from what the configuration asks for.

    Changes nothing, but for finishing what a killed run began.

    :raises UsageError: where an option names what the configuration does not have.
    :raises UnsafeInputError: where a lock is malformed.
    """
    _refuse_unsupported(project)
    inputs = _selected(project, options)
    with locked(project.root):
        locks = _find_locks(project)
    drift = list(find_drift(inputs, locks))
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


def check_offered(
    project: Project, options: LockOptions, *, detail: Callable[[str], None] | None = None
) -> tuple[Drift, ...]:
    """Return what the index no longer offers as it was locked: removed, replaced, yanked.

    :raises SurroundingsError: where the network or an index fails.
    """
    inputs = _selected(project, options)
    locks = {key: lock for key in inputs if (lock := find_lock(project, key)) is not None}
    return find_withdrawn(locks, inputs, UvResolver(project.root, say=detail))


def lock_project(
    project: Project,
    options: LockOptions,
    *,
    say: Callable[[str], None] = lambda _: None,
    detail: Callable[[str], None] | None = None,
) -> LockReport:
    """Bring the locks up to date and write them, all or none.

    Where the inputs are unchanged nothing is resolved and nothing written.

    :param say: told what is being done, one line at a time, from several threads.
    :param detail: told each command that is run.
    :raises JudgedError: where a family has no resolution.
    :raises SurroundingsError: where the network, an index or the disk fails.
    :raises UsageError: where an option names what the configuration does not have.
    :raises UnsafeInputError: where an existing lock is malformed.
    """
    _refuse_unsupported(project)
    with locked(project.root):
        inputs = _selected(project, options)
        old = _find_locks(project)
        _refuse_unknown_upgrades(options, old.values())
        resolver = UvResolver(project.root, offline=options.offline, say=detail)
        run = _Run(project=project, options=options, old=old, resolver=resolver, say=say)
        stale = _stale(inputs, old, options)
        tools = find_tools(project) if needs_tools(project) else None
        wants_tools = needs_tools(project) and (tools is None or options.upgrade)
        with ThreadPoolExecutor(THREADS) as pool, ThreadPoolExecutor(1) as other:
            try:
                asked_bases = other.submit(
                    pin_bases,
                    project,
                    upgrade=options.upgrade,
                    offline=options.offline,
                    stop=resolver.stop,
                    say=detail or (lambda _: None),
                )
                asked = [pool.submit(run.lock_family, *item) for item in stale.items()]
                asked_tools = pool.submit(_lock_tools, project, resolver) if wants_tools else None
                locks = tuple(lock for future in asked for lock in future.result())
                pylocks = run.pylocks(pool, inputs, {lock.key: lock for lock in locks})
                new_tools = asked_tools.result() if asked_tools is not None else tools
                bases = asked_bases.result()
            except BaseException:
                # One failure, or an interrupt, ends the run: the others are not waited for.
                resolver.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        now = {key: lock for key, lock in old.items() if lock is not None}
        now |= {lock.key: lock for lock in locks}
        sizes = find_sizes(
            read_sizes(project), now, inputs,
            resolver=resolver, root=project.root, offline=options.offline, say=say,
        )  # fmt: skip
        outcome = Outcome(
            old=old, locks=locks, pylocks=pylocks, tools=new_tools, bases=bases, sizes=sizes
        )
        return write_outcome(project, outcome, inputs)


def _selected(project: Project, options: LockOptions) -> dict[LockKey, Inputs]:
    """Return the inputs of the locks that the options name: a stage stands for its family."""
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
        key: lock_inputs(project, key)
        for key in project.lock_keys()
        if (not roots or _root(project, key.stage) in roots)
        and (not options.variants or key.variant in options.variants)
    }
    stages = {key.stage for key in chosen}
    return chosen | {
        key: build_inputs(project, key) for key in build_keys(project) if key.stage in stages
    }


def _find_locks(project: Project) -> dict[LockKey, Lock | None]:
    """Read every lock of stages, and of what builds their sources; None where there is none."""
    keys = (*project.lock_keys(), *build_keys(project))
    return {key: find_lock(project, key) for key in keys}


def _stale(
    inputs: Mapping[LockKey, Inputs], old: Mapping[LockKey, Lock | None], options: LockOptions
) -> dict[_Place, dict[LockKey, Inputs]]:
    """Return the families in which something is out of date, or all where that is asked for."""
    families: dict[_Place, dict[LockKey, Inputs]] = {}
    for key, wanted in inputs.items():
        place = (wanted.chain[0].stage, key.variant, key.platform)
        families.setdefault(place, {})[key] = wanted
    return {
        place: keys
        for place, keys in families.items()
        if options.upgrade or options.upgrade_packages or find_drift(keys, old)
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What all families of one run share."""

    project: Project
    options: LockOptions
    old: Mapping[LockKey, Lock | None]
    resolver: Resolver
    say: Callable[[str], None]

    def lock_family(self, place: _Place, keys: Mapping[LockKey, Inputs]) -> list[Lock]:
        """Resolve one family; a lock whose content stays keeps its header too."""
        _, variant, platform = place
        kept = self._kept(keys)
        family = Family(
            place=str(platform) if variant == BUILD_VARIANT else f"{variant}, {platform}",
            environment=next(iter(keys.values())).environment,
            nodes={
                inputs.stage: Node(
                    stage=inputs.stage,
                    parent=inputs.chain[-2].stage if inputs.chain[1:] else None,
                    requirements=inputs.chain[-1].requirements,
                )
                for inputs in keys.values()
            },
            preferences=tuple({pin.name: pin for pin in kept}.values()),
        )
        self.say(f"resolving {', '.join(family.nodes)} ({family.place})")
        resolved = resolve_family(family, self.resolver)
        known = {(pin.name, pin.version): pin for pin in kept}
        locks = []
        for key, inputs in keys.items():
            pins = tuple(_keep_hashes(pin, known) for pin in resolved[inputs.stage])
            digest = inputs.digest(pins)
            lock = Lock(key=key, resolver=self.resolver.label, inputs=digest, pins=pins)
            before = self.old[key]
            same = before is not None and (before.inputs, before.pins) == (digest, pins)
            locks.append(before if same and before is not None else lock)
        _assert_additive(self.project, locks)
        return locks

    def pylocks(
        self,
        pool: Executor,
        inputs: Mapping[LockKey, Inputs],
        new: Mapping[LockKey, Lock],
    ) -> tuple[tuple[Path, str, Lock], ...]:
        """Make the PEP 751 files that are asked for, or there and out of date."""
        stale = []
        for key, wanted in inputs.items():
            if key.variant == BUILD_VARIANT:
                continue  # venvsmith's own builds read it, and nobody else
            path = pylock_path(self.project, key)
            lock = new.get(key) or self.old[key]
            asked = self.options.pylock or path.exists()
            if lock is not None and asked and pylock_inputs(path) != lock.inputs:
                stale.append((path, lock, pool.submit(self._pylock, lock, wanted)))
        return tuple((path, future.result(), lock) for path, lock, future in stale)

    def _pylock(self, lock: Lock, inputs: Inputs) -> str:
        request = Request(
            requirements=inputs.requirements,
            environment=inputs.environment,
            constraints=tuple(pin.requirement() for pin in lock.pins),
            known=True,
        )
        return finish_pylock(self.resolver.pylock(request), lock)

    def _kept(self, keys: Iterable[LockKey]) -> list[Pin]:
        """Return the pins that are to stay where they can."""
        if self.options.upgrade:
            return []
        upgraded = {canonicalize_name(name) for name in self.options.upgrade_packages}
        locks = [lock for key in keys if (lock := self.old[key]) is not None]
        return [pin for lock in locks for pin in lock.pins if pin.name not in upgraded]


def _keep_hashes(pin: Pin, known: Mapping[tuple[str, str], Pin]) -> Pin:
    """Keep a lock as it is where its release has merely gained files since."""
    before = known.get((pin.name, pin.version))
    return before if before is not None and set(before.hashes) <= set(pin.hashes) else pin


def _assert_additive(project: Project, locks: Iterable[Lock]) -> None:
    by_stage = {lock.key.stage: lock for lock in locks if lock.key.variant != BUILD_VARIANT}
    for stage, lock in by_stage.items():
        parent = project.stages[stage].extends
        problem = not_additive(lock, by_stage[parent]) if parent is not None else ""
        if problem:
            message = f"{lock.key.filename}: {problem}"
            raise AssertionError(message)


def _lock_tools(project: Project, resolver: UvResolver) -> tuple[Pin, ...]:
    """Pin the uv that resolves, with the hashes of all its files, for any platform."""
    environment = Environment(
        python=project.python,
        machine="x86_64",
        manylinux=None,
        torch_backend=None,
        find_links=(),
        exclude_newer=None,
        no_wheel=(),
        indexes=(),
    )
    wanted = f"uv=={resolver.version}"
    answer = resolver.solve(Request(requirements=(wanted,), environment=environment))
    if isinstance(answer, Unsolvable):
        message = f"the index does not offer {wanted}, which resolves here"
        hint = "install a uv that it offers"
        raise JudgedError(message, where="tools", hint=hint, code="no-resolution")
    return answer.pins


def _pylock_stale(project: Project, lock: Lock) -> bool:
    path = pylock_path(project, lock.key)
    return path.exists() and pylock_inputs(path) != lock.inputs


def _root(project: Project, stage: str) -> str:
    return project.ancestry(stage)[0].name


def _refuse_unsupported(project: Project) -> None:
    if project.resolver != "uv":
        message = f"resolver '{project.resolver}' is not there yet"
        raise UsageError(message, where="project.resolver", hint='set resolver = "uv"')


def _refuse_unknown_upgrades(options: LockOptions, locks: Iterable[Lock | None]) -> None:
    known = sorted({name for lock in locks if lock is not None for name in lock.names()})
    for name in options.upgrade_packages:
        if canonicalize_name(name) not in known:
            message = f"'{name}' is in none of the locks"
            hint = _meant(canonicalize_name(name), known)
            raise UsageError(message, where="--upgrade-package", hint=hint)


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else f"there is {', '.join(known) or 'none'}"
