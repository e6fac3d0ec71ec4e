"""The resolver behind ``pip-compile``: pip's own, for this machine's platform and Python alone."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from venvsmith.errors import ConfigError, JudgedError, SurroundingsError
from venvsmith.process import Command, run
from venvsmith.resolve.asking import (
    answer_seconds,
    link_options,
    secrets_of,
    with_wheels,
    write_lines,
)
from venvsmith.resolve.protocol import Answer, Request, Solved, Unsolvable
from venvsmith.resolve.surroundings import resolver_environment
from venvsmith.resolve.uv_output import read_pins, redacted
from venvsmith.scratch import scratch

if TYPE_CHECKING:
    from pathlib import Path

    from venvsmith.model.project import Project
    from venvsmith.resolve.uv import UvResolver


class PipToolsResolver:
    """Asks pip-compile; what that cannot say, uv is asked for.

    pip keeps to one platform and tells neither why an index did not answer nor, in words, what
    conflicts with what. So where it finds nothing, uv is asked the same question and its reason
    is told.

    :param root: where relative find-links start.
    :param uv: explains, and writes PEP 751 files.
    """

    def __init__(self, root: Path, uv: UvResolver) -> None:
        self.root = root
        self.uv = uv
        self._env = _environment()

    @cached_property
    def label(self) -> str:
        """Return ``pip-tools`` and its version."""
        return f"pip-tools {version('pip-tools')}"

    def solve(self, request: Request) -> Answer:
        """Answer a request.

        :raises SurroundingsError: where the network or an index fails, or may not be used.
        """
        if not request.requirements:
            return Solved(pins=())
        if self.uv.offline:
            message = "it has no cache to resolve from, and the network may not be used"
            hint = "run without --offline, or with --resolver uv"
            raise SurroundingsError(message, where="pip-tools", hint=hint, code="offline")
        with scratch() as folder:
            write_lines(folder / "in.txt", with_wheels(request))
            write_lines(folder / "constraints.txt", request.constraints)
            # pip-compile takes the versions of an existing output file as preferences.
            write_lines(folder / "out.txt", [pin.requirement() for pin in request.preferences])
            if self.uv.say is not None:
                self.uv.say(f"pip-compile: {' '.join(request.requirements)}"[:200])
            command = Command(
                argv=(
                    *(sys.executable, "-m", "piptools", "compile", "in.txt"),
                    *("--constraint", "constraints.txt", "--output-file", "out.txt"),
                    *("--generate-hashes", "--allow-unsafe", "--strip-extras"),
                    *("--no-header", "--no-annotate", "--no-config", "--no-emit-options"),
                    *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
                    *("--resolver", "backtracking", "--quiet"),
                    *link_options(request.environment, self.root),
                    *("--pip-args", _pip_arguments(request)),
                ),
                timeout=answer_seconds(),
                env=self._env,
                cwd=folder,
                secrets=secrets_of(self._env.get("PIP_INDEX_URL", "")),
            )
            done = run(command, stop=self.uv.stop)
            if done.returncode == 0:
                text = (folder / "out.txt").read_bytes()
                return Solved(pins=read_pins(replace(done, stdout=text)))
        if done.timed_out:
            message = f"no answer within {done.command.timeout:g} s"
            hint = "run again, or with --resolver uv"
            raise SurroundingsError(message, where="pip-tools", hint=hint, code="resolver-timeout")
        answer = self.uv.solve(request)
        if isinstance(answer, Unsolvable):
            return answer
        lines = [line.strip() for line in redacted(done).splitlines() if line.strip()]
        message = (lines or ["it failed without a word"])[-1]
        raise JudgedError(
            f"pip-compile finds no answer, and uv does: {message}",
            where="pip-tools",
            hint="run with --resolver uv",
            code="resolver-failed",
        )

    def pylock(self, request: Request) -> str:
        """Return what uv writes of the versions that pip has found."""
        return self.uv.pylock(request)


def refuse_beyond_pip(project: Project) -> None:
    """Refuse what pip-tools cannot lock: it knows this platform and this Python, and one index.

    :raises ConfigError: for each key that asks for more.
    """
    machine = platform.machine()
    own = "{}.{}".format(*sys.version_info[:2])
    problems: list[tuple[str, str]] = []
    if project.python != own:
        problems.append(
            ("project.python", f"pip-tools locks for the Python that runs it, {own}, alone")
        )
    if project.exclude_newer is not None:
        problems.append(("project.exclude-newer", "pip-tools cannot resolve as of a day"))
    if project.indexes:
        problems.append(("indexes", "pip-tools cannot keep a name to one index"))
    for variant in project.variants.values():
        here = f"variants.{variant.name}"
        if any(each.machine != machine for each in variant.platforms):
            message = f"pip-tools locks for this machine's platform ({machine}) alone"
            problems.append((f"{here}.platforms", message))
        if variant.torch_backend is not None:
            problems.append((f"{here}.torch-backend", "pip-tools knows no torch backends"))
    for base in project.bases.values():
        if base.manylinux is not None:
            message = "pip-tools takes the glibc of this machine"
            problems.append((f"bases.{base.name}.manylinux", message))
    if problems:
        hint = "take these out, or lock with resolver uv"
        raise ConfigError(problems, file=project.file.name, hint=hint)


def _environment() -> dict[str, str]:
    """Return what of the machine's settings pip may see, under pip's own names."""
    env = resolver_environment()
    extra = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for name, ours in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if env.get(ours):
            extra[name] = env[ours]
    return {**env, **extra}


def _pip_arguments(request: Request) -> str:
    words = ["--only-binary :all:"]
    words += [f"--no-binary {name}" for name in request.environment.no_wheel]
    return " ".join(words)
