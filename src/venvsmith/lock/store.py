"""Where lockfiles lie, and reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.errors import SurroundingsError, UnsafeInputError, UsageError
from venvsmith.files import recover
from venvsmith.lock.pylock import pylock_inputs
from venvsmith.lock.source import BUILD_VARIANT, build_keys
from venvsmith.lock.text import MEND, TITLE, TOOLS_TITLE, parse_lock, parse_tools
from venvsmith.texts import read_exactly

if TYPE_CHECKING:
    from pathlib import Path

    from venvsmith.model.lock import Lock, Pin
    from venvsmith.model.project import LockKey, Project

TOOLS_NAME = "tools.txt"
SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of a lockfile: some fifty times the largest that we have seen."""


def lock_path(project: Project, key: LockKey) -> Path:
    """Return where a stage's lock lies."""
    return project.root / project.locks / key.filename


def tools_path(project: Project) -> Path:
    """Return where the lock of the build tools lies."""
    return project.root / project.locks / TOOLS_NAME


def read_lock(project: Project, key: LockKey) -> Lock:
    """Read one stage's lock.

    :raises UsageError: code ``no-lock`` where there is none.
    :raises UnsafeInputError: where it is malformed.
    """
    recover(project.root)
    path = lock_path(project, key)
    text = _read(project, path)
    if text is None:
        message = f"stage '{key.stage}' is not locked for variant '{key.variant}'"
        if key.variant == BUILD_VARIANT:
            message = f"what builds the source of stage '{key.stage}' is not locked"
        raise UsageError(message, where=_shown(project, path), hint=_HINT, code="no-lock")
    return parse_lock(text, key=key, where=_shown(project, path))


def read_locks(project: Project) -> dict[LockKey, Lock]:
    """Read the locks of all stages, in the order of `Project.lock_keys`.

    :raises UsageError: where one is missing.
    :raises UnsafeInputError: where one is malformed.
    """
    return {key: read_lock(project, key) for key in project.lock_keys()}


def find_lock(project: Project, key: LockKey) -> Lock | None:
    """Read one stage's lock, or return None where there is none.

    :raises UnsafeInputError: where it is malformed.
    """
    path = lock_path(project, key)
    text = _read(project, path)
    return None if text is None else parse_lock(text, key=key, where=_shown(project, path))


def read_tools(project: Project) -> tuple[Pin, ...]:
    """Read the lock of what a build stage installs first: uv, with the hashes of all its wheels.

    :raises UsageError: code ``no-lock`` where there is none.
    :raises UnsafeInputError: where it is malformed.
    """
    recover(project.root)
    found = find_tools(project)
    if found is None:
        message = "the build tools are not locked"
        where = _shown(project, tools_path(project))
        raise UsageError(message, where=where, hint=_HINT, code="no-lock")
    return found


def find_tools(project: Project) -> tuple[Pin, ...] | None:
    """Read the lock of the build tools, or return None where there is none."""
    path = tools_path(project)
    text = _read(project, path)
    return None if text is None else parse_tools(text, where=_shown(project, path))


def needs_tools(project: Project) -> bool:
    """Tell whether builds need a uv; pip comes along as a wheel."""
    own_python = any(base.python == "uv" for base in project.bases.values())
    return project.installer == "uv" or own_python


def orphans(project: Project) -> tuple[Path, ...]:
    """Return the lockfiles of ours that the configuration no longer asks for, sorted."""
    folder = project.root / project.locks
    keys = list(project.lock_keys())
    wanted = {key.filename for key in keys} | {key.pylock_filename for key in keys}
    wanted |= {key.filename for key in build_keys(project)}
    if needs_tools(project):
        wanted.add(TOOLS_NAME)
    found = [path for path in sorted(folder.glob("*.txt")) if path.is_file() and _is_ours(path)]
    found += [path for path in sorted(folder.glob("pylock.*.toml")) if pylock_inputs(path)]
    return tuple(path for path in found if path.name not in wanted)


_HINT = "run 'venvsmith lock'"


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.readline(200).rstrip() in {TITLE.encode(), TOOLS_TITLE.encode()}
    except OSError:  # another user's
        return False


def _read(project: Project, path: Path) -> str | None:
    where = _shown(project, path)
    try:
        # A carriage return must reach the strict parser.
        return read_exactly(path, SIZE_LIMIT)
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise UnsafeInputError(str(exc), where=where, hint=MEND, code="lock-malformed") from exc
    except OSError as exc:
        message = f"cannot be read: {exc.strerror}"
        raise SurroundingsError(message, where=where, code="not-readable") from exc


def _shown(project: Project, path: Path) -> str:
    """Return a path as the user would name it, from the configuration's folder."""
    return path.relative_to(project.root).as_posix()
