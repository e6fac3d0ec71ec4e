"""A Dockerfile into the sketch: every instruction is carried over, not needed, or told."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

from venvsmith.config.formats import VENV
from venvsmith.dockerfile.forecast import target_of
from venvsmith.dockerfile.installs import SYSTEM, events
from venvsmith.dockerfile.parse import parse
from venvsmith.dockerfile.replay import Reading, Step, assignments
from venvsmith.init.container.base import read_base
from venvsmith.init.container.copies import copy, write_out
from venvsmith.init.container.image import READERS, tell_arg
from venvsmith.init.container.runs import run
from venvsmith.init.container.scene import Scene
from venvsmith.init.lines import source_text
from venvsmith.init.sketch import Sketch, refusal
from venvsmith.model.dockerfile import DockerStage, Instruction


def read_dockerfile(sketch: Sketch, path: Path, shown: str) -> None:
    """Read a Dockerfile and what it names of its context into a sketch.

    :param shown: how notes name it.
    :raises UsageError: where it cannot be read.
    :raises UnsafeInputError: where it is no Dockerfile.
    """
    reading = Reading(parse(source_text(path), shown))
    context = _context(reading, [sketch.root, path.parent])
    scene = Scene(sketch=sketch, reading=reading, context=context, shown=shown)
    sketch.venv = _venv(reading)
    _globals(scene)
    for stage in reading.facts.stages:
        if stage.index in reading.built:
            _stage(scene, stage)
        else:
            _unbuilt(scene, stage)
    read_base(scene)
    _settle(scene)


def _context(reading: Reading, folders: list[Path]) -> Path:
    """Return the folder, of those given, that has most of what is copied."""

    def has(folder: Path) -> int:
        probe = Scene(sketch=Sketch(root=folder), reading=reading, context=folder, shown="")
        return sum(
            bool(probe.sources(source))
            for stage in reading.facts.stages
            for one in reading.copies(stage)
            if one.from_context
            for source in one.sources
        )

    return max(folders, key=has)


def _venv(reading: Reading) -> str:
    """Return where the image has its environment; empty where it has none of its own."""
    final = reading.facts.final
    for place in _places(reading, final):
        if refusal(VENV, place) is None:
            return place
    for one in reversed(reading.copies(final)):
        if one.from_stage is None:
            continue
        for place in _places(reading, reading.facts.stages[one.from_stage]):
            target = target_of(one, place)
            if target is not None and refusal(VENV, posixpath.normpath(target)) is None:
                return posixpath.normpath(target)
    return _venv_on_path(reading)


def _venv_on_path(reading: Reading) -> str:
    """Return the environment that ENV names: poetry and pdm do not say where they make it."""
    for step in reversed(reading.final_steps):
        for name in ("VIRTUAL_ENV", "PATH"):
            first = (step.env.get(name) or "").split(":")[0].removesuffix("/bin")
            if "venv" in first and refusal(VENV, first) is None:
                return first
    return ""


def _places(reading: Reading, stage: DockerStage) -> Iterator[str]:
    found = [e.place for e in events(reading, stage) if e.action in {"install", "sync", "create"}]
    yield from (place for place in reversed(found) if place is not None and place != SYSTEM)


def _globals(scene: Scene) -> None:
    facts = scene.reading.facts
    for instruction in facts.global_args:
        pairs = list(assignments(instruction))
        for name, value in pairs:
            tell_arg(scene, instruction.line, name, value)
        if not pairs:
            _not_understood(scene, instruction)
    for instruction in facts.unknown:
        why = f"{instruction.keyword} is no instruction"
        what = f"{instruction.keyword} {instruction.args}"
        scene.note("image", instruction.line, what, why, "mend the Dockerfile")


def _not_understood(scene: Scene, instruction: Instruction) -> None:
    what = f"{instruction.keyword} {instruction.args}"
    scene.note("image", instruction.line, what, "nothing of it is understood", "look at it")


def _unbuilt(scene: Scene, stage: DockerStage) -> None:
    name = stage.name or str(stage.index)
    why = "the image does not need this stage: it is built only with --target"
    what = f"FROM {stage.base} AS {name}"
    scene.note("image", stage.line, what, why, "give it an image of its own, if you use it")
    for instruction in stage.instructions:
        how = f"of the stage {name}, told there"
        scene.enter(instruction.line, instruction.keyword, "noted", how)


def _stage(scene: Scene, stage: DockerStage) -> None:
    final = stage.index in scene.reading.final_chain
    scene.enter(stage.line, f"FROM {stage.base}", "carried", "bases")
    if stage.platform and stage.platform.endswith(("/arm64", "/amd64")) and final:
        scene.sketch.platforms.append(stage.platform)
    for step in scene.reading.steps(stage):
        if step.stage == stage.index:
            before = len(scene.sketch.entries)
            _step(scene, step, final=final)
            if len(scene.sketch.entries) == before:
                _not_understood(scene, step.instruction)


def _step(scene: Scene, step: Step, *, final: bool) -> None:
    instruction = step.instruction
    keyword = instruction.keyword
    if instruction.on_build:
        why = "it is for images built on this one"
        todo = "write it into their Dockerfiles"
        scene.note("image", step.line, f"ONBUILD {keyword} {instruction.args}", why, todo)
    elif keyword == "RUN":
        run(scene, step)
    elif keyword in {"COPY", "ADD"}:
        copy(scene, step)
    elif keyword not in READERS:
        scene.note(
            "image", step.line, f"{keyword} {instruction.args}", "no key for it", "look at it"
        )
    elif final or keyword == "ARG":
        READERS[keyword](scene, step)
    else:
        what = f"{keyword} {instruction.args}"
        scene.enter(step.line, what, "replaced", "of a build stage; nothing stays of it")


def _settle(scene: Scene) -> None:
    """Put right what only the whole shows: copies that the installed project makes needless."""
    sketch = scene.sketch
    starts = [*(sketch.entrypoint or ()), *(sketch.cmd or ())]
    if sketch.source is not None and not any(word.endswith(".py") for word in starts):
        whole = [pair for pair in sketch.copy if pair[0] in {".", "src", sketch.source}]
        for pair in whole:
            sketch.note(
                "image",
                scene.shown,
                f"COPY {pair[0]} {pair[1]}",
                "the project is installed as a wheel, so its sources are not copied too",
                f'if it reads files there: copy = [{{ from = "{pair[0]}", to = "{pair[1]}" }}]',
            )
            sketch.copy.remove(pair)
    write_out(scene)
