"""What a lock is made from: the requirements of a stage's chain, and where they will run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.dependency_groups import resolve_dependency_groups
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from venvsmith.errors import ConfigError
from venvsmith.lock.pyproject import (
    ProblemError,
    read_dependencies,
    read_own_project,
    read_toml,
    reading,
)
from venvsmith.lock.requirements import requirement_lines
from venvsmith.lock.text import emit_pins
from venvsmith.lock.wheels import Built, direct_requirement, key_of
from venvsmith.model.platforms import marker_environment
from venvsmith.network import redact_url
from venvsmith.texts import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from venvsmith.model.lock import Pin
    from venvsmith.model.project import Index, LockKey, Project, Stage

FORMAT = 1
"""Part of every digest: raised when the meaning of a lock changes, so that all are made anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageInputs:
    """What one stage asks for by itself, each requirement as PEP 508 text."""

    stage: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Where the locked distributions will run, and where they may come from."""

    python: str
    machine: str
    """``x86_64`` or ``aarch64``."""
    manylinux: str | None
    torch_backend: str | None
    find_links: tuple[str, ...]
    exclude_newer: str | None
    no_wheel: tuple[str, ...]
    indexes: tuple[Index, ...]
    built: tuple[Built, ...] = ()
    """Wheels that stand for requirements with an address; those ask for their exact version."""

    def markers(self) -> dict[str, str]:
        """Return the values of PEP 508 markers there."""
        return marker_environment(self.python, self.machine)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Everything that one lock depends on, besides what the index offers."""

    environment: Environment
    chain: tuple[StageInputs, ...]
    """The stage and what it extends, the root ancestor first."""
    resolver: str

    @property
    def stage(self) -> str:
        """Return the name of the stage that is locked."""
        return self.chain[-1].stage

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the requirements of the whole chain, sorted, each once."""
        return tuple(sorted({line for stage in self.chain for line in stage.requirements}))

    def digest(self, pins: Sequence[Pin]) -> str:
        """Return the digest of the inputs: the configuration's part, and the pins of the lock.

        The pins belong to it because an existing lock is what the next one is made from, and so
        that a lock edited by hand is noticed.
        """
        env = self.environment
        content = {
            "format": FORMAT,
            "resolver": self.resolver,
            "python": env.python,
            "machine": env.machine,
            "manylinux": env.manylinux,
            "torch-backend": env.torch_backend,
            "find-links": [redact_url(link) for link in env.find_links],
            "exclude-newer": env.exclude_newer,
            "no-wheel": sorted(env.no_wheel),
            "indexes": sorted(
                [index.name, redact_url(index.url), sorted(index.packages)] for index in env.indexes
            ),
            "chain": [[stage.stage, sorted(stage.requirements)] for stage in self.chain],
            "pins": emit_pins(pins),
        }
        if env.built:
            content["built"] = [[wheel.key, wheel.sha256] for wheel in env.built]
        text = json.dumps(content, sort_keys=True, ensure_ascii=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def lock_inputs(project: Project, key: LockKey, built: Mapping[str, Built]) -> Inputs:
    """Gather what a lock is made from, reading the files that the stages name.

    :param built: the wheels that stand for requirements with an address, by their keys. One that
        is missing leaves its requirement as it is written.
    :raises ConfigError: where a file is missing or holds what cannot be locked; all that is wrong
        with one stage is told at once.
    """
    used: dict[str, Built] = {}
    chain = tuple(
        replace(stage, requirements=tuple(_stand_in(line, built, used) for line in written))
        for stage in (_stage_inputs(project, stage) for stage in project.ancestry(key.stage))
        for written in [stage.requirements]
    )
    wheels = tuple(used[name] for name in sorted(used))
    return Inputs(
        environment=replace(environment_of(project, key), built=wheels),
        chain=chain,
        resolver=project.resolver,
    )


def direct_requirements(project: Project) -> dict[str, Requirement]:
    """Return the requirements of all stages that name where they come from, by their keys.

    :raises ConfigError: as `lock_inputs` does.
    """
    lines = {
        line
        for stage in project.stages.values()
        for line in _stage_inputs(project, stage).requirements
    }
    found = [requirement for requirement in map(Requirement, sorted(lines)) if requirement.url]
    return {key_of(requirement): requirement for requirement in found}


def _stand_in(line: str, built: Mapping[str, Built], used: dict[str, Built]) -> str:
    """Return what is asked of a resolver: for a built wheel, its exact version."""
    requirement = Requirement(line)
    if requirement.url is None or (wheel := built.get(key_of(requirement))) is None:
        return line
    used[wheel.key] = wheel
    requirement.url = None
    requirement.specifier = SpecifierSet(f"=={wheel.version}")
    return str(requirement)


def environment_of(project: Project, key: LockKey) -> Environment:
    """Return where the distributions of a lock will run, and where they may come from."""
    variant = project.variants[key.variant]
    return Environment(
        python=project.python,
        machine=key.platform.machine,
        manylinux=project.bases[variant.base].manylinux,
        torch_backend=variant.torch_backend,
        find_links=variant.find_links,
        exclude_newer=project.exclude_newer,
        no_wheel=project.no_wheel,
        indexes=tuple(project.indexes.values()),
    )


def _stage_inputs(project: Project, stage: Stage) -> StageInputs:
    lines: list[str] = []
    problems: list[tuple[str, str]] = []

    def gather(key: str, found: Iterator[str]) -> None:
        try:
            lines.extend(normal(line, project) for line in found)
        except ProblemError as exc:
            problems.append((f"stages.{stage.name}.{key}", str(exc)))

    for number, line in enumerate(stage.requires):
        gather(f"requires[{number}]", iter([line]))
    for number, entry in enumerate(stage.requires_file):
        gather(f"requires-file[{number}]", _from_entry(project.root, entry))
    if stage.source is not None:
        gather("source", _from_source(project, stage))
    if problems:
        raise ConfigError(problems, file=project.file.name)
    return StageInputs(stage=stage.name, requirements=tuple(sorted(set(lines))))


def normal(line: str, project: Project | None = None) -> str:
    """Return a requirement in its one spelling.

    :param project: whose locks may hold what is built from an address; None where nothing may be.
    :raises ProblemError: where it is none, or one that cannot be locked.
    """
    if project is not None:
        direct = direct_requirement(line, root=project.root, python=project.python)
        if direct is not None:
            return str(direct)
    try:
        requirement = Requirement(line)
    except InvalidRequirement as exc:
        message = f"'{line}' is not a requirement: {str(exc).splitlines()[0]}"
        raise ProblemError(message) from exc
    if requirement.url is not None:
        message = (
            f"'{requirement.name}' comes from an address, and only what an index offers can build "
            "a project: name a version of it"
        )
        raise ProblemError(message)
    return str(requirement)


def _from_entry(root: Path, entry: str) -> Iterator[str]:
    """Yield the requirements of a ``requires-file`` entry: a file, or a group of a pyproject."""
    name, colon, group = entry.rpartition(":")
    if colon and name.endswith(".toml"):
        groups = read_toml(root / name).get("dependency-groups", {})
        try:
            yield from resolve_dependency_groups(groups, group)
        except* (LookupError, ValueError, TypeError) as errors:
            message = f"{name}: dependency group '{group}': {errors.exceptions[0]}"
            raise ProblemError(message) from errors
    elif entry.endswith(".toml"):
        yield from read_dependencies(root / entry)
    else:
        yield from _from_requirements(root / entry)


def _from_source(project: Project, stage: Stage) -> Iterator[str]:
    """Yield what the user's own project depends on: it is installed without its dependencies.

    Own projects of the stage's chain are no distributions of an index.
    """
    chain = {
        s.name: read_own_project(project.root / s.source, python=project.python)
        for s in project.ancestry(stage.name)
        if s.source is not None
    }
    names = {own.name for own in chain.values()}
    for line in chain[stage.name].dependencies:
        requirement = Requirement(normal(line))
        if canonicalize_name(requirement.name) not in names:
            yield line
        elif requirement.extras:
            message = (
                f"'{line}' asks for extras of a project of this file's own; list what they stand "
                "for in [project] dependencies"
            )
            raise ProblemError(message)


def _from_requirements(path: Path) -> Iterator[str]:
    """Yield the requirements of a requirements file, following ``-r``; hashes are made anew."""
    for line in requirement_lines(path, _text):
        if line.text.startswith("-"):
            option = line.text.split()[0]
            message = (
                f"{line.file.name}: '{option}' is an option; set it in the configuration instead"
            )
            raise ProblemError(message)
        yield line.requirement


def _text(path: Path) -> str:
    with reading(path):
        return read_text(path)
