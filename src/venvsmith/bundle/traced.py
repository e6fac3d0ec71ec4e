"""A recorded run of a venv: what importing and running its stage loads, opens and asks for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from venvsmith.errors import JudgedError
from venvsmith.process import Command, run
from venvsmith.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What a run showed.

    :param modules: those that were loaded, in that order.
    :param asked: those of them that code below site-packages had imported.
    :param opened: files below site-packages that Python code opened.
    :param metadata: names of distributions whose metadata were asked for.
    :param libraries: shared objects below site-packages that were mapped.
    :param failed: modules and commands that failed, with the error.
    """

    modules: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def trace(
    venv: Path,
    site: Path,
    *,
    modules: Sequence[str],
    commands: Sequence[Sequence[str]],
    timeout: float,
) -> Trace:
    """Import a stage's modules and run its commands in a venv, and return what that showed.

    :param site: the venv's site-packages.
    :param timeout: seconds for all of it.
    :raises JudgedError: where the interpreter does not start, or does not end in time.
    """
    script = resources.files("venvsmith.bundle") / "tracer.py"
    with scratch() as folder:
        request, answer = folder / "request.json", folder / "answer.json"
        asked = {"modules": list(modules), "commands": [list(c) for c in commands]}
        request.write_text(json.dumps({**asked, "site": f"{site}{os.sep}"}), encoding="utf-8")
        copy = folder / "tracer.py"
        copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
        python = str(venv / "bin" / "python")
        argv = (python, "-I", "-B", str(copy), str(request), str(answer))
        done = run(Command(argv=argv, timeout=timeout))
        if done.timed_out or not answer.is_file():
            said = done.error_text.strip().splitlines()
            why = f"no end within {timeout:.0f} s" if done.timed_out else said[-1] if said else ""
            raise JudgedError(
                f"the recorded run failed: {why}",
                where=python,
                hint="see 'venvsmith verify venv:DIR', or leave --trace out",
                code="trace-failed",
            )
        return msgspec.json.decode(answer.read_bytes(), type=Trace)
