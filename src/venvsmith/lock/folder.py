"""The files of a project of the user's own: what a build of it gets, and what it never gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.dockerfile.ignore import ignores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.project import Project

NEVER = (
    "**/.git", "**/.hg", "**/.svn", "**/.venv", "**/.venvsmith*", "**/.env", "**/.tox", "**/.nox",
    "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache", "**/__pycache__", "**/*.py[co]",
    "**/*.egg-info", "**/node_modules", "build", "dist", "venv",
)  # fmt: skip
"""What is of no use to a build, in the words of a `.dockerignore`.

``build``, ``dist`` and ``venv`` may be packages further down.
"""


def exclusions(project: Project, folder: Path) -> tuple[str, ...]:
    """Return what of a folder a build does not get: `NEVER`, and what venvsmith itself writes.

    :return: patterns of a `.dockerignore`, relative to the folder.
    """
    ours = [project.output, project.locks]
    if project.file.name != "pyproject.toml":
        ours.append(project.file.name)
    below = [os.path.relpath(project.root / path, folder).replace(os.sep, "/") for path in ours]
    return (*NEVER, *(path for path in below if path.partition("/")[0] != ".."))


def source_files(project: Project, folder: Path) -> Iterator[str]:
    """Yield the relative posix paths of the files that a build of a folder gets, sorted.

    Virtual environments are left out under any name.
    """
    patterns = exclusions(project, folder)
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        inside = Path(parent)
        paths = {name: (inside / name).relative_to(folder).as_posix() for name in folders + files}
        kept = {name for name, path in paths.items() if not ignores(patterns, path)}
        folders[:] = [
            name for name in folders if name in kept and not (inside / name / "pyvenv.cfg").exists()
        ]
        found += [paths[name] for name in files if name in kept and (inside / name).is_file()]
    yield from sorted(found)
