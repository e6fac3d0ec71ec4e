"""The resolver behind ``uv pip compile``, from uv's own package."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from venvsmith.errors import JudgedError, SurroundingsError
from venvsmith.lock.wheels import FOLDER
from venvsmith.model.platforms import wheel_platform
from venvsmith.process import Command, Completed, run
from venvsmith.resolve.asking import (
    answer_seconds,
    link_options,
    secrets_of,
    until,
    with_wheels,
    write_lines,
)
from venvsmith.resolve.protocol import Answer, Request, Solved, Unsolvable
from venvsmith.resolve.routes import (
    credentials,
    direct_names,
    hidden,
    names_in,
    needed,
    request_project,
    routed_names,
)
from venvsmith.resolve.surroundings import resolver_environment
from venvsmith.resolve.uv_output import (
    explain,
    read_parents,
    read_pins,
    read_yanked,
    redacted,
    refuse_damaged,
    refuse_refusal,
)
from venvsmith.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvsmith.lock.inputs import Environment

WARNINGS = {"RUST_LOG": "uv_resolver=warn"}
"""uv passes over a wheel that arrives damaged, and says so in its log alone."""


class UvResolver:
    """Asks uv.

    :param root: where relative find-links start.
    :param offline: whether only uv's cache, and folders, may be read.
    :param say: told each command before it runs.
    """

    def __init__(
        self, root: Path, *, offline: bool = False, say: Callable[[str], None] | None = None
    ) -> None:
        self.root = root
        self.offline = offline
        self.say = say
        self.stop = Event()
        """Once set, what runs is stopped: for the thread that was interrupted."""
        self._env = resolver_environment()

    @cached_property
    def binary(self) -> str:
        """Return the path of uv's program."""
        import uv  # noqa: PLC0415 - only where uv is the resolver

        try:
            return str(uv.find_uv_bin())
        except FileNotFoundError as exc:
            message = "the package is installed without its program"
            hint = "install uv again"
            raise SurroundingsError(message, where="uv", hint=hint, code="tool-missing") from exc

    @cached_property
    def version(self) -> str:
        """Return uv's version, ``0.13.8``."""
        done = run(Command(argv=(self.binary, "--version"), timeout=30, env=self._env))
        found = re.match(r"uv (\S+)", done.text)
        if found is None:
            message = f"'uv --version' failed: {done.error_text.strip()[-200:]}"
            raise SurroundingsError(message, where=self.binary, code="tool-failed")
        return found[1]

    @property
    def label(self) -> str:
        """Return ``uv`` and its version."""
        return f"uv {self.version}"

    def backends_but(self, backend: str) -> tuple[str, ...]:
        """Return the torch backends that uv knows where the named one is none of them."""
        argv = (self.binary, "pip", "compile", "--torch-backend", backend, "--help")
        done = run(Command(argv=argv, timeout=30, env=self._env))
        known = re.search(
            r"'--torch-backend[^']*'\s*\[possible values: ([^\]]+)\]", done.error_text
        )
        return tuple(known[1].replace("auto, ", "").split(", ")) if known is not None else ()

    def solve(self, request: Request) -> Answer:
        """Answer a request; a known one first from the cache alone."""
        if not request.requirements:
            return Solved(pins=())
        indexes = request.environment.indexes
        own = frozenset(wheel.name for wheel in request.environment.built)
        routed = routed_names(direct_names(request), indexes) - own
        while True:
            done = self._run(request, routed)
            text = done.text if done.returncode == 0 else done.error_text
            more = routed_names(names_in(text), indexes) - own - routed if indexes else frozenset()
            if not more:
                break
            routed |= more
        refuse_damaged(done)
        if done.returncode == 0:
            pins = read_pins(done, hashed=not request.alone)
            if routed:
                pins = needed(pins, read_parents(done), request)
            return Solved(pins=pins, yanked=read_yanked(done))
        answer = _explained(done, request)
        if routed and answer.why == "unknown":
            # Of an index that only routed names come from, uv tells a refusal in its log alone.
            log = self._compile(request, routed, offline=self.offline, output="out.txt", log=True)
            refuse_refusal(redacted(log), indexes)
        for name in routed - direct_names(request):
            asked = rf"you require {re.escape(name)}(?![\w-])"
            told = re.sub(asked, f"something requires {name}", answer.explanation)
            answer = replace(answer, explanation=told)
        return answer

    def pylock(self, request: Request) -> str:
        """Return a PEP 751 file for a request whose constraints pin every version."""
        pinned = {line.partition("==")[0] for line in request.constraints}
        routed = routed_names(pinned, request.environment.indexes)
        done = self._run(request, routed, output="pylock.toml")
        if done.returncode != 0:
            message = explain(done).explanation
            raise JudgedError(message, where="pylock", code="no-resolution")
        return _beside_locks(done.text, request.environment)

    def _run(
        self, request: Request, routed: frozenset[str], *, output: str = "out.txt"
    ) -> Completed:
        if request.known and not self.offline:
            done = self._compile(request, routed, offline=True, output=output)
            if done.returncode == 0:
                return done
        return self._compile(request, routed, offline=self.offline, output=output)

    def _compile(
        self,
        request: Request,
        routed: frozenset[str],
        *,
        offline: bool,
        output: str,
        log: bool = False,
    ) -> Completed:
        request = replace(request, requirements=with_wheels(request))
        with scratch() as folder:
            source = "pyproject.toml" if request.environment.indexes else "in.txt"
            (folder / "pyproject.toml").write_text(request_project(request, routed), "utf-8")
            write_lines(folder / "in.txt", request.requirements)
            write_lines(folder / "constraints.txt", request.constraints)
            if request.preferences:
                # uv takes the versions of an existing output file as preferences.
                write_lines(folder / output, [pin.requirement() for pin in request.preferences])
            argv = (
                *(self.binary, "pip", "compile", source, "--constraints", "constraints.txt"),
                *("--output-file", output, "--generate-hashes", "--no-header"),
                *("--no-config", "--no-progress", "--no-python-downloads"),
                *("--python", sys.executable, "--color", "never"),
                *self._environment_options(request.environment),
                *(("--offline",) if offline else ()),
                *(("--no-deps",) if request.alone else ()),
                *(("--verbose",) if log else ()),
            )
            if self.say is not None:
                self.say(f"uv pip compile: {' '.join(request.requirements)}"[:200])
            own = credentials(request.environment.indexes, os.environ)
            secrets = secrets_of(self._env.get("UV_DEFAULT_INDEX", ""))
            return run(
                Command(
                    argv=argv,
                    timeout=answer_seconds(),
                    env={**self._env, **own, **({} if log else WARNINGS)},
                    cwd=folder,
                    secrets=(*secrets, *hidden(request.environment.indexes, os.environ)),
                ),
                stop=self.stop,
            )

    def _environment_options(self, environment: Environment) -> list[str]:
        platform = wheel_platform(environment.machine, environment.manylinux)
        options = ["--python-version", environment.python, "--python-platform", platform]
        options += ["--only-binary", ":all:"]
        for name in environment.no_wheel:
            # The exception to the rule before it: uv builds it here to read its metadata.
            options += ["--no-binary", name]
        if environment.exclude_newer:
            options += ["--exclude-newer", until(environment.exclude_newer)]
        if environment.torch_backend:
            options += ["--torch-backend", environment.torch_backend]
        return [*options, *link_options(environment, self.root)]


def _explained(done: Completed, request: Request) -> Unsolvable:
    """Tell a conflict from a failure; a torch backend has an address of its own, which may fail."""
    try:
        return explain(done)
    except SurroundingsError as exc:
        backend = request.environment.torch_backend
        if backend and exc.code == "index-unreachable":
            exc.hint += (
                f"; torch-backend {backend} asks PyTorch's own index whatever else is configured: "
                "where that is out of reach, name a mirror under [indexes] instead, or lock with "
                "--offline and the wheels in find-links"
            )
        raise


def _beside_locks(text: str, environment: Environment) -> str:
    """Give built wheels in a PEP 751 file the path that they have from the file's own folder."""
    for wheel in environment.built:
        there = re.escape(str(wheel.path.resolve()))
        size = wheel.path.stat().st_size
        text = re.sub(
            rf'(?m)^archive = {{ path = "{there}", (.*) }}$',
            rf'wheels = [{{ path = "{FOLDER}/{wheel.file}", size = {size}, \1 }}]',
            text,
        )
    return text
