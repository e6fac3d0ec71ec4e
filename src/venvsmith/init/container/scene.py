"""What the readers of a Dockerfile share: the reading, its context, and the book of outcomes."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from pathlib import Path

from venvsmith.dockerfile.replay import Reading, Step
from venvsmith.init.places import exists, inside
from venvsmith.init.pyproject import Pyproject
from venvsmith.init.sketch import Entry, Outcome, Place, Sketch, showable
from venvsmith.model.dockerfile import DockerStage


@dataclass(slots=True)
class Scene:
    """A Dockerfile being read into a sketch."""

    sketch: Sketch
    reading: Reading
    context: Path
    """The folder that it is built from."""
    shown: str
    """The Dockerfile as the user named it."""
    users: dict[str, int | None] = field(default_factory=dict)
    """Names that RUN steps add to their numbers, None where none is named."""
    projects: dict[Path, Pyproject] = field(default_factory=dict)
    """Pyprojects that were read."""
    exported: bool = False
    """Whether a requirements file was made out of a lock on the way."""

    def is_final(self, step: Step) -> bool:
        """Tell whether a step's result is part of the image."""
        return step.stage in self.reading.final_chain

    def enter(self, line: int, what: str, outcome: Outcome, how: str) -> None:
        """Write down what became of an instruction or of a command, without credentials."""
        self.sketch.entries.append(Entry(line=line, what=showable(what), outcome=outcome, how=how))

    def note(self, place: Place, line: int, what: str, why: str, todo: str) -> None:
        """Write down what could not be carried over, and tell it at its place."""
        self.enter(line, what, "noted", why)
        self.sketch.note(place, f"{self.shown}:{line}", what, why, todo)

    def stage(self, step: Step) -> DockerStage:
        """Return the stage that a step stands in."""
        return self.reading.facts.stages[step.stage]

    def in_context(self, step: Step, path: str) -> Path | None:
        """Return the file or folder of the context that lies at an absolute path of the build."""
        for mount in _bind_mounts(step):
            target = posixpath.join(step.workdir, mount["target"])
            found = _below(self.context / mount.get("source", "."), target, path)
            if found is not None:
                return found
        for copy in reversed(self.reading.copies(self.stage(step))):
            if not copy.from_context or copy.target is None:
                continue
            for source in copy.sources:
                for origin in self.sources(source):
                    target = copy.target
                    if not origin.is_dir() and copy.is_folder:
                        target = posixpath.join(target, origin.name)
                    found = _below(origin, target, path)
                    if found is not None:
                        return found
        return None

    def sources(self, pattern: str) -> list[Path]:
        """Return what a COPY's source means in the context; nothing that leads out of it."""
        clean = posixpath.normpath(posixpath.join("/", pattern)).lstrip("/")
        if not clean:
            return [self.context]
        if any(char in clean for char in "*?["):
            try:
                found = sorted(self.context.glob(clean))[:200]
            except (ValueError, OSError):
                found = []
        else:
            found = [self.context / clean] if "\x00" not in clean else []
        return [path for path in found if inside(path, self.context) is not None and exists(path)]


@dataclass(kw_only=True, slots=True)
class Command:
    """A command of a RUN, for the readers of single programs."""

    cwd: str
    """The folder it runs in; the step's own where that cannot be known."""
    line: int
    text: str
    argv: list[str]
    conditional: bool


def _bind_mounts(step: Step) -> list[dict[str, str]]:
    found = []
    for flag in step.instruction.flags:
        if flag.name != "mount":
            continue
        parts = dict(part.partition("=")[::2] for part in flag.value.split(","))
        parts["target"] = parts.get("target") or parts.get("dst") or parts.get("destination") or ""
        if parts.get("type", "bind") == "bind" and parts["target"] and "from" not in parts:
            parts.setdefault("source", parts.get("src", "."))
            found.append(parts)
    return found


def _below(origin: Path, target: str, path: str) -> Path | None:
    """Return what of a copied file or folder lies at a path."""
    target = posixpath.normpath(target)
    if path == target and exists(origin):
        return origin
    prefix = target.rstrip("/") + "/"
    if path.startswith(prefix):
        found = origin / path[len(prefix) :]
        return found if exists(found) else None
    return None
