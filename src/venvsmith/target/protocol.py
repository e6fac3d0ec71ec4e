"""What every kind of target offers to those who look into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from venvsmith.model.facts import Target

ANSWER_LIMIT = 32 * 1024 * 1024
"""Bytes of answer that are read; a whole CUDA stack takes three million."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How the probe meets a target's files: what the target itself adds to a request.

    :param roots: folders that make up the target's ``/``, the first that has a path wins.
    :param inside: whether the probe runs in the target, as its user and in its environment.
    :param can_run: whether the target's own programs can be started from there.
    :param venvs: environments that the target's kind already names.
    :param env: variables that replace those that the probe finds.
    :param activate: whether programs run with the environment's ``bin`` first on PATH.
    :param why_not: why nothing can run.
    :param archive: an image in a file, which the probe opens itself: ``kind``, ``path``, ``tag``.
    """

    roots: tuple[str, ...] = ("/",)
    inside: bool = True
    can_run: bool = True
    venvs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    activate: bool = False
    why_not: str = ""
    archive: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRun:
    """What came back from a probe."""

    stdout: bytes
    stderr: str
    returncode: int | None
    """None where it did not end in time."""
    truncated: bool = False
    silent: tuple[str, ...] = ()
    """Interpreters that did not gather and ended as if all were well."""


class OpenTarget(Protocol):
    """A target that can be looked into; a context manager that leaves nothing behind."""

    @property
    def facts_target(self) -> Target:
        """What it is: kind, reference, digest, platform and configuration."""

    @property
    def placement(self) -> Placement:
        """How the probe meets its files."""

    def run_probe(
        self,
        script: Callable[[Mapping[str, Any]], bytes],
        *,
        mark: bytes,
        venvs: tuple[str, ...],
        timeout: float,
    ) -> ProbeRun:
        """Run the probe's script with the first interpreter that can and return what it wrote.

        :param script: makes the script, given what the target adds to the request.
        :param mark: what an answer begins with: an interpreter that writes none did not gather.
        :param venvs: environments that were asked for.
        :param timeout: seconds after which everything is stopped.
        :raises SurroundingsError: where the engine fails.
        """

    def close(self) -> None:
        """Give back whatever the target holds."""

    def __enter__(self) -> Self:
        """Enter the context."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the target."""
