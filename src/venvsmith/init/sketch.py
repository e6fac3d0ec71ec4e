"""What the readers gather and `compose` writes down: a configuration in the making."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from packaging.utils import canonicalize_name

from venvsmith.config.formats import DISTRIBUTION, TORCH_BACKEND
from venvsmith.network import without_credentials

if TYPE_CHECKING:
    from venvsmith.config.kinds import Kind, Problems

Place = Literal["project", "indexes", "base", "variant", "stage", "image"]
"""The part of the configuration to which a note belongs."""
Outcome = Literal["carried", "replaced", "noted"]


DEFAULT_PYTHON: Final = "3.12"
"""The minor version where nothing says which."""
_SECRET: Final = re.compile(
    r"((?:--[\w-]*(?:token|password|passwd|secret|api-?key)[= ]"
    r"|\b\w*(?:token|password|passwd|secret|api_?key)=))(?![$-])\S+",
    re.IGNORECASE,
)
"""An option or a variable that holds a secret, and the secret."""
SHOWN = 70
"""Characters of what was written that a note repeats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something that could not be carried over as it stood."""

    place: Place
    origin: str
    """``Dockerfile:12``."""
    what: str
    """As it was written, shortened."""
    why: str
    todo: str
    """What to do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What became of an instruction, of a command in a RUN, or of a requirement's line."""

    line: int
    what: str
    outcome: Outcome
    how: str
    """The key that it went to, or why it is not needed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseSketch:
    """The base images, as far as they are known."""

    build: str
    runtime: str
    python: str = "image"
    comment: str = ""


@dataclass(slots=True)
class Sketch:
    """Everything that was gathered; empty where the source says nothing of it."""

    root: Path
    """The folder of the configuration: paths in it are relative to this one."""
    origin: str = ""
    """What it is made from, as the user named it; empty where from nothing."""
    name: str = ""
    python: str = ""
    python_why: str = ""
    base: BaseSketch | None = None
    platforms: list[str] = field(default_factory=list)
    venv: str = ""
    exclude_newer: str = ""
    no_wheel: list[str] = field(default_factory=list)
    indexes: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    """Name to URL and the names of distributions."""
    backends: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)

    requires: list[str] = field(default_factory=list)
    requires_files: dict[str, list[str]] = field(default_factory=dict)
    """Entries of ``requires-file`` to the requirements that stand in them."""
    source: str | None = None
    source_requires: list[str] = field(default_factory=list)
    source_module: str = ""
    scripts: list[str] = field(default_factory=list)
    """Console scripts of the user's own project."""
    extras: dict[str, list[str]] = field(default_factory=dict)
    """Names of further stages to their requirements."""
    imports: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    apt: list[str] = field(default_factory=list)

    user: int | None = None
    user_why: str = ""
    workdir: str = ""
    env: dict[str, str] = field(default_factory=dict)
    writable: list[str] = field(default_factory=list)
    copy: list[tuple[str, str]] = field(default_factory=list)
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    labels: dict[str, str] = field(default_factory=dict)

    notes: list[Note] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def note(self, place: Place, origin: str, what: str, why: str, todo: str) -> None:
        """Keep a note, once. No credentials get into it."""
        shown = showable(what)
        note = Note(
            place=place,
            origin=origin,
            what=shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "\u2026",
            why=why,
            todo=without_credentials(todo),
        )
        if note not in self.notes:
            self.notes.append(note)

    def add_backend(self, name: str, origin: str) -> None:
        """Take a torch backend; every one makes a variant."""
        if trouble := refusal(TORCH_BACKEND, name):
            self.note("variant", origin, f"torch backend {name}", trouble, "set torch-backend")
        elif name not in self.backends:
            self.backends.append(name)

    def allow_build(self, name: str, origin: str) -> None:
        """Let a distribution be built from source."""
        if trouble := refusal(DISTRIBUTION, name):
            self.note("project", origin, f"no wheel of {name}", trouble, "name it under no-wheel")
        else:
            self.no_wheel.append(canonicalize_name(name))

    def all_requires(self) -> list[str]:
        """Return every requirement that is known, wherever it stands."""
        return [
            *self.requires,
            *(line for lines in self.requires_files.values() for line in lines),
            *self.source_requires,
        ]


def showable(text: str) -> str:
    """Return what was written on one line, without credentials."""
    return _SECRET.sub(r"\1***", without_credentials(" ".join(text.split())))


def refusal(kind: Kind, value: object) -> str | None:
    """Return why the configuration would refuse a value; None where it takes it."""
    problems: Problems = []
    kind.read(value, "", problems)
    return problems[0][1] if problems else None
