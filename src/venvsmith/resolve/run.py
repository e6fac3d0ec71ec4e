"""Locks a project: what is out of date, resolved; all of it written, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.errors import JudgedError
from venvsmith.files import locked
from venvsmith.lock.inputs import Environment, direct_requirements
from venvsmith.lock.layers import not_additive
from venvsmith.lock.pylock import finish_pylock, pylock_inputs, pylock_path
from venvsmith.lock.sizes import read_sizes
from venvsmith.lock.source import BUILD_VARIANT
from venvsmith.lock.store import find_tools, needs_tools
from venvsmith.model.lock import Lock, Pin
from venvsmith.resolve.asked import (
    find_locks,
    refuse_unknown_upgrades,
    selected,
    stale_families,
)
from venvsmith.resolve.bases import pin_bases
from venvsmith.resolve.joint import Family, Node, resolve_family
from venvsmith.resolve.outcome import LockReport, Outcome, write_outcome
from venvsmith.resolve.pip_tools import PipToolsResolver, refuse_beyond_pip
from venvsmith.resolve.progress import Tracker, Work
from venvsmith.resolve.protocol import Request, Unsolvable
from venvsmith.resolve.settings import refuse_unusable
from venvsmith.resolve.sizes import find_sizes
from venvsmith.resolve.uv import UvResolver
from venvsmith.resolve.wheels import WheelMaker, refuse_unfit
from venvsmith.scratch import scratch
from venvsmith.together import settle, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor

    from venvsmith.lock.inputs import Inputs
    from venvsmith.lock.wheels import Built
    from venvsmith.model.project import LockKey, Project
    from venvsmith.resolve.asked import LockOptions, Place
from venvsmith.resolve.protocol import Resolver

THREADS = 2
"""Families resolved at once: more only contend for uv's cache and the index."""


def lock_project(
    project: Project,
    options: LockOptions,
    *,
    say: Callable[[str], None] = lambda _: None,
    detail: Callable[[str], None] | None = None,
    watch: Callable[[Work], None] = lambda _: None,
) -> LockReport:
    """Bring the locks up to date and write them, all or none.

    Where the inputs are unchanged nothing is resolved and nothing written.

    :param say: told what is being done, one line at a time, from several threads.
    :param detail: told each command that is run.
    :param watch: told how far the families are, one at a time.
    :raises JudgedError: where a family has no resolution.
    :raises ConfigError: where the configuration asks for what cannot be locked.
    :raises SurroundingsError: where the network, an index or the disk fails.
    :raises UsageError: where an option names what the configuration does not have.
    :raises UnsafeInputError: where an existing lock is malformed.
    """
    if project.resolver == "pip-tools":
        refuse_beyond_pip(project)
    with locked(project.root), scratch() as folder:
        old = find_locks(project)
        refuse_unknown_upgrades(options, old.values())
        uv = UvResolver(project.root, offline=options.offline, say=detail)
        built = _build_wheels(project, options, uv, folder, say)
        inputs = selected(project, options, built)
        places = ((f"{key.variant}, {key.platform}", wanted) for key, wanted in inputs.items())
        refuse_unfit(places, built.values())
        stale = stale_families(inputs, old, options)
        refuse_unusable(project, (key for keys in stale.values() for key in keys), uv)
        run = _Run(
            project=project,
            options=options,
            old=old,
            built=built,
            uv=uv,
            resolver=PipToolsResolver(project.root, uv) if project.resolver == "pip-tools" else uv,
            tracker=Tracker(len(stale), watch),
        )
        outcome = _resolved(run, inputs, stale, say=say, detail=detail or (lambda _: None))
        return write_outcome(project, outcome, inputs)


def _resolved(
    run: _Run,
    inputs: Mapping[LockKey, Inputs],
    stale: Mapping[Place, Mapping[LockKey, Inputs]],
    *,
    say: Callable[[str], None],
    detail: Callable[[str], None],
) -> Outcome:
    """Resolve the stale families, and whatever else a run asks for beside them.

    One failure, or an interrupt, ends all of it: the others are not waited for.
    """
    project, options, uv = run.project, run.options, run.uv
    tools = find_tools(project) if needs_tools(project) else None
    wants_tools = needs_tools(project) and (tools is None or options.upgrade)
    with threads(THREADS, stop=uv.stop) as pool, threads(1, stop=uv.stop) as other:
        asked_bases = other.submit(
            pin_bases,
            project,
            upgrade=options.upgrade,
            offline=options.offline,
            stop=uv.stop,
            say=say,
            detail=detail,
        )
        asked = [pool.submit(run.lock_family, *item) for item in stale.items()]
        asked_tools = [pool.submit(_lock_tools, project, uv)] if wants_tools else []
        settle(asked_bases, *asked, *asked_tools)
        locks = tuple(lock for future in asked for lock in future.result())
        pylocks = run.pylocks(pool, inputs, {lock.key: lock for lock in locks})
    now = {key: lock for key, lock in run.old.items() if lock is not None}
    now |= {lock.key: lock for lock in locks}
    sizes = find_sizes(
        read_sizes(project), now, inputs,
        resolver=run.resolver, root=project.root, offline=options.offline, say=say,
    )  # fmt: skip
    return Outcome(
        old=run.old,
        locks=locks,
        pylocks=pylocks,
        tools=asked_tools[0].result() if asked_tools else tools,
        bases=asked_bases.result(),
        sizes=sizes,
        wheels=run.built,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What all families of one run share."""

    project: Project
    options: LockOptions
    old: Mapping[LockKey, Lock | None]
    built: Mapping[str, Built]
    uv: UvResolver
    resolver: Resolver
    tracker: Tracker

    def lock_family(self, place: Place, keys: Mapping[LockKey, Inputs]) -> list[Lock]:
        """Resolve one family; a lock whose content stays keeps its header too."""
        _, variant, platform = place
        kept = self._kept(keys)
        family = Family(
            place=str(platform) if variant == BUILD_VARIANT else f"{variant}, {platform}",
            environment=_of_all(keys.values()),
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
        with self.tracker.working(f"{', '.join(family.nodes)} ({family.place})"):
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
        settle(*(future for _, _, future in stale))
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


def _of_all(inputs: Iterable[Inputs]) -> Environment:
    """Return the environment of a family, with the built wheels of all its stages."""
    environments = [each.environment for each in inputs]
    built = {wheel.key: wheel for each in environments for wheel in each.built}
    return replace(environments[0], built=tuple(built[key] for key in sorted(built)))


def _build_wheels(
    project: Project,
    options: LockOptions,
    uv: UvResolver,
    folder: Path,
    say: Callable[[str], None],
) -> dict[str, Built]:
    """Return the wheels of requirements with an address, by their keys."""
    wanted = direct_requirements(project)
    if not wanted:
        return {}
    maker = WheelMaker(
        project=project,
        uv=uv.binary,
        folder=folder,
        offline=options.offline,
        stop=uv.stop,
        say=say,
    )
    return maker.bring_up_to_date(
        wanted.values(),
        upgrade=options.upgrade,
        upgrade_packages={canonicalize_name(name) for name in options.upgrade_packages},
    )


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
