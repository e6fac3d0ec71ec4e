"""What RUN steps do to Python environments: make, fill, sync, and with which interpreter."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from packaging.utils import canonicalize_name

from venvsmith.dockerfile.expand import expand, has_unknown, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvsmith.dockerfile.replay import Reading, Step
    from venvsmith.dockerfile.shell import ShellCommand
    from venvsmith.model.dockerfile import DockerStage

SYSTEM: Final = "system"
"""Stands for the interpreter's own packages, as a path would for a venv."""
Action = Literal["create", "install", "sync", "fetch-python"]
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:[=<>!~;@ ].*|$)")
_PIP = re.compile(r"pip(?:3(?:\.\d+)?)?")
_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_MINOR = re.compile(r"(?:python|cpython-)?(3\.\d+)(?:\.\d+)?$")
# Options that take a value as the next word, of the commands that are read here.
# fmt: off
_VALUED = frozenset(
    {
        "-r", "--requirement", "-c", "--constraint", "--constraints", "-e", "--editable", "-i",
        "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index",
        "--python", "-p", "--target", "-t", "--prefix", "--root", "--trusted-host",
        "--no-binary", "--only-binary", "--timeout", "--cache-dir", "--torch-backend",
        "--index-strategy", "--extra", "--group", "--only-group", "--no-group", "--package",
        "--project", "--directory", "--link-mode", "--python-version", "--python-platform",
        "--prerelease", "--resolution", "--exclude-newer", "--no-install-package", "--override",
        "--retries", "--progress-bar", "--report", "--upgrade-package", "-P", "--proxy",
        "--cert", "--log", "--keyring-provider", "--config-settings", "-C", "--platform",
        "--abi", "--implementation", "--prompt", "--requirements", "--no-extra",
        "--config-file", "--color", "--refresh-package", "--python-preference",
        "--fork-strategy", "--build-constraint", "--src", "-b", "--build", "-d",
        "--upgrade-strategy", "--use-feature", "--no-build-package",
    }
)
# fmt: on


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
class _Shell:
    """What a RUN has set so far."""

    env: dict[str, str | None]
    cwd: str | None
    active: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """A command's arguments divided."""

    options: frozenset[str]
    values: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]

    def value(self, *names: str) -> str | None:
        """Return the last value of an option, by any of its names."""
        for name in names:
            if self.values.get(name):
                return self.values[name][-1]
        return None


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
        shell = _Shell(env=dict(step.env), cwd=step.workdir)
        for command in step.script.commands:
            _note(shell, command)
            for event in _events(command, step, shell, state):
                if event.action == "create" and event.place is not None:
                    state.venvs[event.place] = event.tool
                yield event


def _note(shell: _Shell, command: ShellCommand) -> None:
    """Follow cd, export and activate, which hold until the end of the RUN."""
    argv = command.argv
    if not argv:
        shell.env.update({name: _known(value, shell) for name, value in command.assignments})
    elif argv[0] == "cd":
        target = _known(argv[1], shell) if len(argv) > 1 else None
        shell.cwd = _path(target, shell)
    elif argv[0] == "export":
        for word in argv[1:]:
            name, _, value = word.partition("=")
            shell.env[name] = _known(value, shell)
    elif argv[0] in {".", "source"} and len(argv) > 1 and argv[1].endswith("/bin/activate"):
        shell.active = _path(_known(argv[1].removesuffix("/bin/activate"), shell), shell)


def _known(text: str, shell: _Shell) -> str | None:
    raw = expand(text, shell.env)
    return None if has_unknown(raw) or "`" in raw or "$(" in raw else unquote(raw)


def _path(text: str | None, shell: _Shell) -> str | None:
    if text is None or (shell.cwd is None and not text.startswith("/")):
        return None
    return posixpath.normpath(posixpath.join(shell.cwd or "/", text))


def _events(command: ShellCommand, step: Step, shell: _Shell, state: _State) -> Iterator[Event]:
    argv = [_known(word, shell) or word for word in (w.text for w in command.effective)]
    argv = [unquote(word) for word in argv]
    if not argv:
        return
    inline = {name: _known(value, shell) for name, value in command.assignments}
    scope = _Shell(env={**shell.env, **inline}, cwd=shell.cwd, active=shell.active)
    reader = _Reader(command, step, scope, state)
    program = posixpath.basename(argv[0])
    if program == "uv":
        yield from reader.uv(argv[1:])
    elif _PIP.fullmatch(program):
        yield from reader.pip(argv[1:], argv[0])
    elif _PYTHON.fullmatch(program) and argv[1:2] == ["-m"] and len(argv) > 2:  # noqa: PLR2004
        yield from reader.module(argv)
    elif program in {"virtualenv", "pip-sync"}:
        yield from reader.other(program, argv[1:])


class _Reader:
    """One command, read with what holds at its place."""

    def __init__(self, command: ShellCommand, step: Step, shell: _Shell, state: _State) -> None:
        self._command = command
        self._step = step
        self._shell = shell
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
            line=self._command.line or self._step.line,
            names=tuple(names),
            texts=tuple(texts),
            files=(*args.values.get("-r", ()), *args.values.get("--requirement", ())),
            own_project=own,
            options=args.options,
            prefix=self._prefix(args),
            conditional=self._command.conditional,
            command=" ".join(self._command.argv[:3]),
        )

    def _prefix(self, args: Arguments) -> str | None:
        if "--user" in args.options:
            home = self._shell.env.get("PYTHONUSERBASE") or "/root/.local"
            return _path(home, self._shell)
        prefix = args.value("--prefix")
        return _path(prefix, self._shell) if prefix else None

    def uv(self, argv: Sequence[str]) -> Iterator[Event]:
        args = list(argv)
        while args and args[0].startswith("-"):  # global options: uv --no-cache sync
            args = args[2:] if args[0] in _VALUED else args[1:]
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
        event = self._event("create", "uv", _path(where, self._shell), args)
        python = args.value("--python", "-p") or self._shell.env.get("UV_PYTHON")
        yield replace(event, python=python)

    def pip(self, argv: Sequence[str], program: str) -> Iterator[Event]:
        args = list(argv)
        while args and args[0].startswith("-"):
            args = args[2:] if args[0] in _VALUED else args[1:]
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
                event = self._event("create", module, _path(word, self._shell), parsed)
                yield replace(event, python=parsed.value("--python", "-p") or python)
        elif module == "uv":
            yield from self.uv(rest)

    def other(self, program: str, argv: Sequence[str]) -> Iterator[Event]:
        parsed = divide(argv)
        if program == "pip-sync":
            yield self._event("sync", "pip-sync", self._pip_place("pip-sync", parsed), parsed)
            return
        for word in parsed.words[:1]:
            event = self._event("create", "virtualenv", _path(word, self._shell), parsed)
            yield replace(event, python=parsed.value("--python", "-p") or "python3")

    def _uv_place(self, args: Arguments) -> str | None:
        if args.value("--target", "-t", "--prefix") is not None:
            return None
        python = args.value("--python", "-p")
        if python is None and "--system" not in args.options:
            python = self._shell.env.get("UV_PYTHON")
        if "--system" in args.options or _true(self._shell.env.get("UV_SYSTEM_PYTHON")):
            return SYSTEM
        if python is not None:
            return self._place_of(python)
        active = self._shell.active or self._shell.env.get("VIRTUAL_ENV")
        if active:
            return _path(active, self._shell)
        return _path(".venv", self._shell)

    def _place_of(self, python: str) -> str | None:
        """Return the environment that ``--python`` names: a venv's folder or its interpreter."""
        if not python.startswith(("/", ".")):
            return None  # a version: uv looks for one itself
        path = _path(python, self._shell)
        if path is None:
            return None
        match = re.fullmatch(r"(.+)/bin/python[0-9.]*", path)
        return _normal(match[1] if match else path)

    def _project_place(self, args: Arguments) -> str | None:
        folder = args.value("--project", "--directory")
        if "--active" in args.options:
            active = self._shell.active or self._shell.env.get("VIRTUAL_ENV")
            return _normal(_path(active, self._shell)) if active else None
        named = self._shell.env.get("UV_PROJECT_ENVIRONMENT")
        base = _Shell(env=self._shell.env, cwd=_path(folder or ".", self._shell))
        return _normal(_path(named or ".venv", base))

    def _pip_place(self, program: str, args: Arguments) -> str | None:
        if args.value("--target", "-t", "--prefix", "--root") or "--user" in args.options:
            return None
        if "/" in program:
            path = _path(program, self._shell)
            return _normal(posixpath.dirname(posixpath.dirname(path))) if path else None
        if self._shell.active:
            return self._shell.active
        for folder in (self._shell.env.get("PATH") or "").split(":"):
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


def divide(argv: Sequence[str]) -> Arguments:
    """Divide the arguments of a command that installs."""
    options: set[str] = set()
    values: dict[str, tuple[str, ...]] = {}
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        options.add(name)
        if equals:
            values[name] = (*values.get(name, ()), value)
        elif name in _VALUED and rest:
            values[name] = (*values.get(name, ()), rest.pop(0))
        elif name.startswith(("-r", "-c", "-p", "-e", "-t")) and name[2:] and name[1] != "-":
            # -rrequirements.txt
            short = name[:2]
            values[short] = (*values.get(short, ()), name[2:])
    return Arguments(options=frozenset(options), values=values, words=tuple(words))


def arguments(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command line that are neither options nor their values."""
    return divide(argv).words


def minor_in(text: str | None) -> str | None:
    """Return the minor that an interpreter's name or version says, ``3.12``."""
    if text is None:
        return None
    match = _MINOR.search(posixpath.basename(text))
    return match[1] if match else None
