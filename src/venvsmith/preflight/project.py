"""The configuration, the locks and what was rendered: valid, and in step with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.errors import ConfigError, JudgedError, SurroundingsError, UsageError, VenvsmithError
from venvsmith.files import locked
from venvsmith.preflight.report import CONFIGURATION, DRIFT, ENVIRONMENT, Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvsmith.model.project import Project
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

LOCK_SECONDS = 3.0
"""How long another run of venvsmith in this project is waited for."""
SHOWN = 3
"""Files that are named in one row; the command that mends them names all."""


def configuration_rows(
    project: Project | None, error: VenvsmithError | None, file: str
) -> list[Row]:
    """Return what became of reading the configuration: one row for each mistake.

    A mistake's message says how to mend it; what helps with all of them stands at the last one.
    """
    if project is not None:
        counts = (
            (len(project.stages), "stage"),
            (len(project.variants), "variant"),
            (len(project.images), "image"),
        )
        told = ", ".join(f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in counts)
        return [_row("config", file, "ok", told)]
    if isinstance(error, ConfigError):
        last = error.hint or "docs/configuration.md has every key and what it may say"
        mends = [*[""] * (len(error.problems) - 1), last]
        return [
            _row("config", key or error.where, "wrong", text, mend, code=CONFIGURATION)
            for (key, text), mend in zip(error.problems, mends, strict=True)
        ]
    message = error.message if error is not None else "there is none"
    hint = error.hint if error is not None else ""
    return [_row("config", file, "missing", message, hint, code=CONFIGURATION)]


def check_project_files(at: Situation) -> list[Row]:
    """Hold locks and rendered files against the configuration, as ``--check`` does; no network."""
    if at.project is None:
        return []
    try:
        with locked(at.project.root, LOCK_SECONDS):
            return _files(at.project)
    except SurroundingsError as error:
        return [_failed("locks", f"{at.project.locks}/", error)]


def _files(project: Project) -> list[Row]:
    locks = _locks(project)
    if locks.status != "ok":
        message = "not looked at before the locks are in step"
        return [locks, _row("render", f"{project.output}/", "unknown", message)]
    return [locks, *_builds(project)]


def _row(
    check: str, subject: str, status: Status, message: str, mend: str = "", *, code: int = DRIFT
) -> Row:
    return Row(
        group="project",
        check=check,
        subject=subject,
        status=status,
        message=message,
        mend=mend,
        exit_code=code,
    )


def _locks(project: Project) -> Row:
    from venvsmith.resolve import LockOptions, check_project  # noqa: PLC0415 - not for every run

    mend, subject = "venvsmith lock", f"{project.locks}/"
    try:
        drift = check_project(project, LockOptions(offline=True))
    except VenvsmithError as error:
        return _failed("locks", subject, error)
    files = list(dict.fromkeys(item.file for item in drift))
    if not drift:
        return _row("locks", subject, "ok", "in step with the configuration")
    if all(item.reason == "it does not exist yet" for item in drift):
        return _row("locks", subject, "missing", f"not there yet: {_listed(files)}", mend)
    first = next(item for item in drift if item.reason != "it does not exist yet")
    more = f", and {len(files) - 1} more" if files[1:] else ""
    message = f"{first.file}: {first.reason}{more}"
    return _row("locks", subject, "wrong", message, mend)


def _builds(project: Project) -> list[Row]:
    """Return what became of planning the builds: what is rendered, and the files that they read."""
    from venvsmith.build import plans as plans_  # noqa: PLC0415 - needs the template's engine
    from venvsmith.build.context import missing_files  # noqa: PLC0415

    try:
        plans = plans_.make_plans(project)
        changes = plans_.rendered(project, plans)
    except VenvsmithError as error:
        return [_failed("render", f"{project.output}/", error)]
    mend = "make it before the build"
    missing = [
        _row("copy", key, "missing", f"there is no '{path}' yet", mend, code=CONFIGURATION)
        for key, path in missing_files(project, plans).items()
    ]
    return [_render(project, changes), *missing]


def _render(project: Project, changes: Mapping[Path, bytes | None]) -> Row:
    from venvsmith.build.plans import stale  # noqa: PLC0415

    subject, mend = f"{project.output}/", "venvsmith render"
    names = _listed([path.name for path in stale(changes)])
    if not names:
        return _row("render", subject, "ok", "in step with the locks")
    if not any(path.is_file() for path in changes):
        message = "nothing is rendered yet; a build does it first"
        return _row("render", subject, "warning", message, mend)
    return _row("render", subject, "wrong", f"out of step: {names}", mend)


def _failed(check: str, subject: str, error: VenvsmithError) -> Row:
    message = f"{error.where}: {error.message}" if error.where else error.message
    if isinstance(error, UsageError):
        return _row(check, subject, "wrong", message, error.hint, code=CONFIGURATION)
    if isinstance(error, JudgedError):
        return _row(check, subject, "wrong", message, error.hint)
    status: Status = "unknown" if error.exit_code == ENVIRONMENT else "wrong"
    return _row(check, subject, status, message, error.hint)


def _listed(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
