"""Calls of an environment's own pip in a Dockerfile, where that environment has none."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from venvsmith.dockerfile.forecast import target_of
from venvsmith.dockerfile.installs import SYSTEM, Event, events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.dockerfile.replay import Reading
    from venvsmith.model.dockerfile import DockerStage


VENV_LIMIT: Final = 20
"""Environments of one stage that are followed through a COPY."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Venv:
    """What is known of an environment's pip."""

    by_uv: bool
    has_pip: bool
    sees_system: bool
    line: int
    """Where it was made, or where its pip was removed."""
    removed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PipCall:
    """A call that finds no pip."""

    place: str
    line: int
    command: str
    venv: Venv


def calls_without_pip(reading: Reading) -> Iterator[PipCall]:
    """Yield the calls of a venv's own pip that will not find it, for all stages that are built."""
    told: set[int] = set()
    ends: dict[int, dict[str, Venv]] = {}
    for stage in reading.facts.stages:
        ends[stage.index] = {}
        for call in _follow(reading, stage, ends):
            if stage.index in reading.built and call.line not in told:
                told.add(call.line)
                yield call


def _follow(
    reading: Reading, stage: DockerStage, ends: dict[int, dict[str, Venv]]
) -> Iterator[PipCall]:
    """Go through a stage and its parents; leaves in ``ends`` what there is at its end."""
    state = ends[stage.index]
    by_step: dict[int, list[Event]] = {}
    for event in events(reading, stage):
        by_step.setdefault(id(event.step), []).append(event)
    copies = {id(copy.step): copy for copy in reading.copies(stage)}
    for step in reading.steps(stage):
        copy = copies.get(id(step))
        if copy is not None and copy.from_stage is not None:
            for place, venv in list(ends[copy.from_stage].items())[:VENV_LIMIT]:
                target = target_of(copy, place)
                if target is not None:
                    state[target] = venv
        for event in by_step.get(id(step), ()):
            if event.place not in {None, SYSTEM}:
                yield from _event(reading, event, str(event.place), state)


def _event(reading: Reading, event: Event, place: str, state: dict[str, Venv]) -> Iterator[PipCall]:
    venv = state.get(place)
    if event.action == "create":
        state[place] = _made(event)
    elif event.action == "sync" and event.tool == "uv":
        if "pip" not in _locked(reading) and (venv is None or (venv.by_uv and _exact(event))):
            state[place] = Venv(
                by_uv=True,
                has_pip=False,
                sees_system=venv.sees_system if venv else False,
                line=event.line,
                removed=venv is not None and venv.has_pip,
            )
    elif event.action == "install" and venv is not None:
        if event.tool == "pip" and not venv.has_pip and not event.conditional:
            program = event.command.split()[0]
            as_module = not posixpath.basename(program).startswith("pip")
            if "/" in program and not (as_module and venv.sees_system):
                yield PipCall(place=place, line=event.line, command=event.command, venv=venv)
        if "pip" in event.names:
            state[place] = replace(venv, has_pip=True)


def _made(event: Event) -> Venv:
    by_uv = event.tool == "uv"
    seeded = "--seed" in event.options or bool(event.step.env.get("UV_VENV_SEED"))
    without = {"--without-pip", "--no-pip"} & event.options
    return Venv(
        by_uv=by_uv,
        has_pip=seeded if by_uv else not without,
        sees_system="--system-site-packages" in event.options,
        line=event.line,
    )


def _exact(event: Event) -> bool:
    return "--inexact" not in event.options and not event.conditional


def _locked(reading: Reading) -> frozenset[str]:
    context = reading.facts.context
    return frozenset(name for lock in (context.locks if context else ()) for name in lock.names)
