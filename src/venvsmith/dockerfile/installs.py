"""What RUN steps do to Python environments: make, fill, sync, and with which interpreter."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from packaging.utils import canonicalize_name

from venvsmith.dockerfile.arguments import Arguments, divide, uv_words, verb_first
from venvsmith.dockerfile.placed import Placed, placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.replay import Reading, Step
    from venvsmith.model.dockerfile import DockerStage

SYSTEM: Final = "system"
"""Stands for the interpreter's own packages, as a path would for a venv."""
Action = Literal["create", "install", "sync", "fetch-python"]
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:[=<>!~;@ ].*|$)")
_PIP = re.compile(r"pip(?:3(?:\.\d+)?)?")
_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that a RUN does to an environment.

    ``place`` is the environment's path, `SYSTEM`, or None where it cannot be told.
    """

    action: Action
    tool: str
    """``pip``, ``uv``, ``venv``, ``virtualenv``, ``pip-sync``, …"""
    place: str | None
    step: Step
    line: int
    names: tuple[str, ...] = ()
    """Distributions that are named, normalised."""
    texts: tuple[str, ...] = ()
    """The same as written."""
    files: tuple[str, ...] = ()
    """Requirement files that are named."""
    own_project: bool = False
    """Whether it installs (or keeps) a project from a folder."""
    options: frozenset[str] = frozenset()
    python: str | None = None
    """What names the interpreter of a created environment: a path, ``python3.12``, ``3.12``."""
    prefix: str | None = None
    """Where ``--prefix`` or ``--user`` puts an install."""
    conditional: bool = False
    command: str = ""
    """The command's first words, for messages."""


@dataclass(slots=True)
class _State:
    """What the steps before have made."""

    venvs: dict[str, str] = field(default_factory=dict)
    """Path of each venv to the tool that made it."""


def events(reading: Reading, stage: DockerStage) -> tuple[Event, ...]:
    """Return what a stage and its parents do to environments, in order."""
    key = ("events", stage.index)
    if key not in reading.memo:
        reading.memo[key] = tuple(_all_events(reading.steps(stage)))
    return cast("tuple[Event, ...]", reading.memo[key])


def environments_of(reading: Reading, stage: DockerStage) -> tuple[str, ...]:
    """Return the paths of the environments that a stage and its parents make or fill."""
    key = ("environments", stage.index)
    if key not in reading.memo:
        places = (event.place for event in events(reading, stage))
        reading.memo[key] = tuple(dict.fromkeys(p for p in places if p not in {None, SYSTEM}))
    return cast("tuple[str, ...]", reading.memo[key])


def _all_events(steps: Sequence[Step]) -> Iterator[Event]:
    state = _State()
    for step in steps:
        if step.instruction.keyword != "RUN" or step.instruction.on_build:
            continue
        for at in placed(step):
            for event in _events(at, step, state):
                if event.action == "create" and event.place is not None:
                    state.venvs[event.place] = event.tool
                yield event


def _events(at: Placed, step: Step, state: _State) -> Iterator[Event]:
    argv = at.argv
    if not argv:
        return
    reader = _Reader(at, step, state)
    program = at.program
    if program == "uv":
        yield from reader.uv(argv[1:])
    elif _PIP.fullmatch(program):
        yield from reader.pip(argv[1:], argv[0])
    elif _PYTHON.fullmatch(program) and argv[1:2] == ("-m",) and len(argv) > 2:  # noqa: PLR2004
        yield from reader.module(argv)
    elif program in {"virtualenv", "pip-sync"}:
        yield from reader.other(program, argv[1:])


class _Reader:
    """One command, read with what holds at its place."""

    def __init__(self, at: Placed, step: Step, state: _State) -> None:
        self._at = at
        self._step = step
        self._state = state

    def _event(self, action: Action, tool: str, place: str | None, args: Arguments) -> Event:
        names: list[str] = []
        texts: list[str] = []
        own = bool(args.values.get("-e") or args.values.get("--editable"))
        for word in args.words:
            match = _NAME.fullmatch(word)
            if word.startswith((".", "/", "-")) or word.endswith((".whl", ".tar.gz", ".zip")):
                own = own or word.startswith(".")
            elif match and "://" not in word.partition("@")[0] and "/" not in match[1]:
                names.append(canonicalize_name(match[1]))
                texts.append(word)
        return Event(
            action=action,
            tool=tool,
            place=place,
            step=self._step,
            line=self._at.command.line or self._step.line,
            names=tuple(names),
            texts=tuple(texts),
            files=(*args.values.get("-r", ()), *args.values.get("--requirement", ())),
            own_project=own,
            options=args.options,
            prefix=self._prefix(args),
            conditional=self._at.command.conditional,
            command=" ".join(self._at.command.argv[:3]),
        )

    def _prefix(self, args: Arguments) -> str | None:
        if "--user" in args.options:
            home = self._at.env.get("PYTHONUSERBASE") or "/root/.local"
            return self._at.path(home)
        prefix = args.value("--prefix")
        return self._at.path(prefix) if prefix else None

    def uv(self, argv: Sequence[str]) -> Iterator[Event]:
        args = uv_words(argv)
        folder = divide(args).value("--directory")
        if folder is not None:
            self._at = replace(self._at, cwd=self._at.path(folder))
        match args[:2]:
            case ["pip", "install"]:
                parsed = divide(args[2:])
                yield self._event("install", "uv", self._uv_place(parsed), parsed)
            case ["pip", "sync"]:
                parsed = divide(args[2:])
                yield self._event("sync", "uv pip", self._uv_place(parsed), parsed)
            case ["sync", *_]:
                parsed = divide(args[1:])
                yield self._event("sync", "uv", self._project_place(parsed), parsed)
            case ["venv", *_]:
                yield from self._uv_venv(divide(args[1:]))
            case ["python", "install"]:
                yield self._event("fetch-python", "uv", None, divide(args[2:]))
            case _:
                pass

    def _uv_venv(self, args: Arguments) -> Iterator[Event]:
        where = args.words[0] if args.words else ".venv"
        event = self._event("create", "uv", self._at.path(where), args)
        python = args.value("--python", "-p") or self._at.env.get("UV_PYTHON")
        yield replace(event, python=python)

    def pip(self, argv: Sequence[str], program: str) -> Iterator[Event]:
        args = verb_first(argv)
        if args[:1] == ["install"]:
            parsed = divide(args[1:])
            yield self._event("install", "pip", self._pip_place(program, parsed), parsed)

    def module(self, argv: Sequence[str]) -> Iterator[Event]:
        python, module, rest = argv[0], argv[2], argv[3:]
        if module == "pip":
            yield from self.pip(rest, python)
        elif module in {"venv", "virtualenv"}:
            parsed = divide(rest)
            for word in parsed.words:
                event = self._event("create", module, self._at.path(word), parsed)
                yield replace(event, python=parsed.value("--python", "-p") or python)
        elif module == "uv":
            yield from self.uv(rest)

    def other(self, program: str, argv: Sequence[str]) -> Iterator[Event]:
        parsed = divide(argv)
        if program == "pip-sync":
            yield self._event("sync", "pip-sync", self._pip_place("pip-sync", parsed), parsed)
            return
        for word in parsed.words[:1]:
            event = self._event("create", "virtualenv", self._at.path(word), parsed)
            yield replace(event, python=parsed.value("--python", "-p") or "python3")

    def _uv_place(self, args: Arguments) -> str | None:
        if args.value("--target", "-t", "--prefix") is not None:
            return None
        python = args.value("--python", "-p")
        if python is None and "--system" not in args.options:
            python = self._at.env.get("UV_PYTHON")
        if "--system" in args.options or _true(self._at.env.get("UV_SYSTEM_PYTHON")):
            return SYSTEM
        if python is not None:
            return self._place_of(python)
        active = self._at.active or self._at.env.get("VIRTUAL_ENV")
        if active:
            return self._at.path(active)
        return self._at.path(".venv")

    def _place_of(self, python: str) -> str | None:
        """Return the environment that ``--python`` names: a venv's folder or its interpreter."""
        if not python.startswith(("/", ".")):
            return None  # a version: uv looks for one itself
        path = self._at.path(python)
        if path is None:
            return None
        match = re.fullmatch(r"(.+)/bin/python[0-9.]*", path)
        return _normal(match[1] if match else path)

    def _project_place(self, args: Arguments) -> str | None:
        if "--active" in args.options:
            active = self._at.active or self._at.env.get("VIRTUAL_ENV")
            return _normal(self._at.path(active)) if active else None
        named = self._at.env.get("UV_PROJECT_ENVIRONMENT")
        base = replace(self._at, cwd=self._at.path(args.value("--project") or "."))
        return _normal(base.path(named or ".venv"))

    def _pip_place(self, program: str, args: Arguments) -> str | None:
        if args.value("--target", "-t", "--prefix", "--root") or "--user" in args.options:
            return None
        if "/" in program:
            path = self._at.path(program)
            return _normal(posixpath.dirname(posixpath.dirname(path))) if path else None
        if self._at.active:
            return self._at.active
        for folder in (self._at.env.get("PATH") or "").split(":"):
            venv = folder.removesuffix("/bin")
            if venv in self._state.venvs:
                # uv's venvs hold no pip, so the search goes on behind them.
                if self._state.venvs[venv] != "uv" or program != "pip":
                    return venv
            elif folder.startswith(("/usr/", "/bin")):
                break
        return SYSTEM


def _normal(path: str | None) -> str | None:
    return SYSTEM if path in {"/usr", "/usr/local", "/"} else path


def _true(value: str | None) -> bool:
    return (value or "").lower() in {"1", "true", "yes", "on"}
