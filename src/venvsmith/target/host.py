"""Targets that are folders of this machine: a venv, or a root filesystem."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from venvsmith import process
from venvsmith.errors import UsageError
from venvsmith.model.facts import Target
from venvsmith.target.paths import absolute, is_environment, no_venv
from venvsmith.target.protocol import ANSWER_LIMIT, Placement, ProbeRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SLACK = 20.0
"""Seconds beyond the probe's own deadline until it is stopped from here."""


class FolderTarget:
    """A folder that the probe reads with this process's own Python, or the venv's."""

    def __init__(self, target: Target, placement: Placement, pythons: tuple[str, ...]) -> None:
        self.facts_target = target
        self.placement = placement
        self._pythons = pythons

    def argv(self, python: str) -> tuple[str, ...]:
        """Return how an interpreter is started so that nothing of the environment runs."""
        return (python, "-I", "-S", "-B", "-")

    def run_probe(
        self,
        script: Callable[[Mapping[str, Any]], bytes],
        *,
        mark: bytes,
        venvs: tuple[str, ...],
        timeout: float,
    ) -> ProbeRun:
        """Run the probe on this machine; see `OpenTarget.run_probe`."""
        del venvs
        text = script({})
        for python in self._pythons:
            done = process.run(
                process.Command(
                    argv=self.argv(python),
                    timeout=timeout + SLACK,
                    stdin=text,
                    output_limit=ANSWER_LIMIT,
                    stop_when_full=True,
                )
            )
            run = ProbeRun(
                stdout=done.stdout,
                stderr=done.error_text[-4000:],
                returncode=None if done.timed_out else done.returncode,
                truncated=done.truncated,
            )
            gathered = mark in run.stdout or run.truncated or run.returncode is None
            if gathered or python == self._pythons[-1]:
                return run
        raise AssertionError(self._pythons)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        """Enter the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the target."""
        self.close()


def open_venv(path: str) -> FolderTarget:
    """Open a venv of this machine. Its programs run here, as this user, writing no bytecode.

    :raises UsageError: where there is no such folder, or nothing of a venv in it.
    """
    folder = absolute(path)
    if not folder.is_dir():
        raise UsageError("no such folder", where=f"venv:{path}", code="no-such-target")
    if not is_environment(folder):
        raise no_venv(path)
    placement = Placement(
        venvs=(str(folder),),
        env={"PYTHONDONTWRITEBYTECODE": "1", "VIRTUAL_ENV": str(folder)},
        activate=True,
    )
    return FolderTarget(
        Target(kind="venv", ref=path), placement, (str(folder / "bin" / "python"), sys.executable)
    )


def open_rootfs(path: str, *, project: Path | None = None) -> FolderTarget:
    """Open a root filesystem of this machine: read, not run, but for the project's own builds.

    :param project: the folder of the project that is worked on, if there is one.
    :raises UsageError: where there is no such folder.
    :raises UnsafeInputError: where its manifest is malformed or leads out of the folder.
    """
    from venvsmith.target.local import open_local  # noqa: PLC0415 - it builds on this module

    folder = absolute(path)
    if not folder.is_dir():
        raise UsageError("no such folder", where=f"rootfs:{path}", code="no-such-target")
    if (local := open_local(folder, ref=path, project=project)) is not None:
        return local
    placement = Placement(
        roots=(str(folder),),
        inside=False,
        can_run=False,
        why_not="a root folder is read, not run",
    )
    return FolderTarget(Target(kind="rootfs", ref=path), placement, (sys.executable,))
