"""Is this machine ready to lock, build, run and push? Asked of it, in seconds, writing nothing.

Each check is a function from a `Situation` to rows, in a module of its own. They run side by side,
each in a thread that nobody waits for beyond the budget: what hangs is told as unknown.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, InvalidStateError
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from venvsmith.errors import VenvsmithError
from venvsmith.preflight.bases import check_bases
from venvsmith.preflight.devices import check_devices
from venvsmith.preflight.disk import check_disk
from venvsmith.preflight.engine import check_engine
from venvsmith.preflight.programs import check_programs
from venvsmith.preflight.project import check_project_files, configuration_rows
from venvsmith.preflight.pythons import check_local_engine
from venvsmith.preflight.registries import check_registries
from venvsmith.preflight.report import Host, Preflight, Row, preflight_of
from venvsmith.preflight.situation import Engine, Situation, ask_engine
from venvsmith.preflight.tokens import check_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvsmith.model.project import Project
    from venvsmith.preflight.machine import Machine

__all__ = ["BUDGET", "PROBE_BUDGET", "Preflight", "preflight"]

T = TypeVar("T")

BUDGET, PROBE_BUDGET = 7.0, 20.0
"""Seconds for everything together, without and with questions to services."""
SLACK = 0.5
"""Seconds beyond them in which what was stopped is told by who asked it."""
CHECKS = {
    "project": check_project_files,
    "programs": check_programs,
    "engine": check_engine,
    "base images": check_bases,
    "disk": check_disk,
    "local engine": check_local_engine,
    "registries": check_registries,
    "tokens": check_tokens,
    "devices": check_devices,
}


def preflight(
    machine: Machine, load: Callable[[], Project], *, file: str, probe: bool = False
) -> Preflight:
    """Return all that can be told of a machine and a project.

    :param load: reads the configuration; what it raises becomes rows.
    :param file: how to name the configuration.
    :param probe: ask services whether they accept tokens and logins. Nothing secret is sent to
        anyone otherwise.
    """
    start = time.monotonic()
    project, error = None, None
    try:
        project = load()
    except VenvsmithError as exc:
        error = exc
    rows = configuration_rows(project, error, file)
    at = Situation(machine=machine, project=project, probe=probe, asked=Future(), inside=Future())
    asking = _started(lambda: ask_engine(machine), at.asked)
    running = {group: _started(_bound(check, at)) for group, check in CHECKS.items()}
    deadline = start + (PROBE_BUDGET if probe else BUDGET) + SLACK
    if not _waited(asking, deadline):
        at.asked.set_result(Engine(trouble="no answer in time"))
    for group, future in running.items():
        rows += future.result() if _waited(future, deadline) else [_late(group)]
    return preflight_of(
        rows,
        project=project.name if project is not None else None,
        host=Host(system=machine.system, arch=machine.arch),
        probed=probe,
        seconds=time.monotonic() - start,
    )


def _bound(check: Callable[[Situation], list[Row]], at: Situation) -> Callable[[], list[Row]]:
    return lambda: check(at)


def _started(work: Callable[[], T], future: Future[T] | None = None) -> Future[T]:
    """Run in a thread that ends with the process; return what will hold its result."""
    promised: Future[T] = Future() if future is None else future

    def run() -> None:
        # Who waited too long has put something else there.
        with contextlib.suppress(InvalidStateError):
            try:
                promised.set_result(work())
            except Exception as exc:  # noqa: BLE001 - raised again where the result is asked for
                promised.set_exception(exc)

    Thread(target=run, daemon=True).start()
    return promised


def _waited(future: Future[Any], deadline: float) -> bool:
    try:
        future.exception(max(deadline - time.monotonic(), 0.0))
    except TimeoutError:
        return False
    return True


def _late(group: str) -> Row:
    message = "did not come to an end in time"
    return Row(group=group, check="time", subject=group, status="unknown", message=message)
