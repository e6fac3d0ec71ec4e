"""A Dockerfile as it is written: instructions with their lines, and the folder it is built from.

`dockerfile.parse` makes these values; nothing in them is expanded, resolved or run.
"""

from __future__ import annotations

from dataclasses import dataclass

VENV_NAMES = (".venv", "venv", "env")
"""What people call a venv in their project's folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """The part of a physical line that belongs to an instruction's arguments."""

    line: int
    """Counted from 1."""
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Heredoc:
    """A heredoc of a RUN, COPY or ADD."""

    name: str
    content: str
    line: int
    """The first line of its content."""
    fed_to: str = ""
    """What stands before ``<<`` in a RUN; an empty string where the heredoc is the script."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """A flag of an instruction, ``--from=build``; the value is empty where it has none."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction, its continued lines joined."""

    keyword: str
    """In upper case."""
    line: int
    pieces: tuple[Piece, ...] = ()
    """The arguments by physical line; joined without separator they are `args`."""
    flags: tuple[Flag, ...] = ()
    exec_form: tuple[str, ...] | None = None
    """The words of the JSON form; None where it is not used."""
    heredocs: tuple[Heredoc, ...] = ()
    on_build: bool = False
    """Whether it runs only in images that are built on this one."""

    @property
    def args(self) -> str:
        """Return everything after the keyword and its flags."""
        return "".join(piece.text for piece in self.pieces).strip()

    def flag(self, name: str) -> str | None:
        """Return a flag's value, None where it is not there."""
        return next((flag.value for flag in self.flags if flag.name == name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerStage:
    """One build stage: a FROM and what follows it."""

    index: int
    line: int
    base: str
    """As written."""
    name: str | None = None
    """In lower case, as other stages refer to it."""
    platform: str | None = None
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextFile:
    """A file of the build context that decides what a Dockerfile does."""

    path: str
    """Relative to the context."""
    names: tuple[str, ...]
    """The distributions that a ``uv.lock`` names."""
    project: str | None = None
    """The lock's own project."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """The folder that a Dockerfile is most likely built from, as far as it matters."""

    ignore_file: str | None = None
    """The ``.dockerignore`` that applies, as a person would name it; None where there is none."""
    ignore: tuple[str, ...] = ()
    """Its patterns, in order."""
    folders: tuple[str, ...] = ()
    """Python projects below it that are copied, relative to it."""
    venvs: tuple[str, ...] = ()
    """Folders with a ``pyvenv.cfg`` that lie there now, relative to the context."""
    locks: tuple[ContextFile, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerfileFacts:
    """What a Dockerfile says."""

    path: str
    """As the user named it."""
    stages: tuple[DockerStage, ...]
    global_args: tuple[Instruction, ...] = ()
    """ARG instructions before the first FROM."""
    unknown: tuple[Instruction, ...] = ()
    """Lines whose first word is no instruction."""
    syntax: str | None = None
    """The frontend of a ``# syntax=`` line."""
    context: BuildContext | None = None
    """None where nobody can tell which folder it is built from."""

    @property
    def final(self) -> DockerStage:
        """Return the stage that becomes the image."""
        return self.stages[-1]
