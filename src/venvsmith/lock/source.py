"""The lock of what builds a project of the user's own: its ``[build-system] requires``, hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.errors import ConfigError
from venvsmith.lock.inputs import Inputs, StageInputs, environment_of, normal
from venvsmith.lock.pyproject import OwnProject, ProblemError, read_own_project
from venvsmith.model.project import LockKey

if TYPE_CHECKING:
    from venvsmith.model.project import Project, Stage

BUILD_VARIANT = "source.build"
"""Stands where other keys have a variant, whose name never holds a dot: no file bears two locks."""


def own_project(project: Project, stage: Stage) -> OwnProject:
    """Read the user's own project of a stage that has a source.

    :raises ConfigError: where its pyproject.toml does not say what has to be known.
    """
    try:
        return read_own_project(project.root / (stage.source or ""), python=project.python)
    except ProblemError as exc:
        problems = [(f"stages.{stage.name}.source", str(exc))]
        raise ConfigError(problems, file=project.file.name) from exc


def build_key(project: Project, stage: Stage) -> LockKey:
    """Return the key of the lock of what builds a stage's source, ``app.source.build.txt``."""
    platform = project.variants[stage.variants[0]].platforms[0]
    return LockKey(stage=stage.name, variant=BUILD_VARIANT, platform=platform)


def build_keys(project: Project) -> tuple[LockKey, ...]:
    """Return the key of each lock of what builds a stage's source."""
    return tuple(
        build_key(project, stage)
        for stage in project.stages.values()
        if stage.source is not None and stage.variants
    )


def build_inputs(project: Project, key: LockKey) -> Inputs:
    """Gather what the lock of a source's build requirements is made from.

    One for all variants: what builds a project runs in the build base alone.

    :raises ConfigError: where the source's pyproject.toml does not say them.
    """
    stage = project.stages[key.stage]
    own = own_project(project, stage)
    try:
        lines = tuple(sorted({normal(line) for line in own.build_requires}))
    except ProblemError as exc:
        problems = [(f"stages.{stage.name}.source", f"build-system.requires: {exc}")]
        raise ConfigError(problems, file=project.file.name) from exc
    first = project.lock_key(stage=stage.name, variant=stage.variants[0], platform=key.platform)
    return Inputs(
        environment=environment_of(project, first),
        chain=(StageInputs(stage=f"{stage.name} (to build its source)", requirements=lines),),
        resolver=project.resolver,
    )
