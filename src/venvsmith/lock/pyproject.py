"""What a pyproject.toml says of a project of the user's own. Nothing is built to find out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from venvsmith import texts
from venvsmith.model.pythons import suits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEGACY_REQUIRES = ("setuptools>=40.8.0",)
"""What builds a project without ``[build-system] requires``.

https://packaging.python.org/en/latest/specifications/pyproject-toml/#declaring-build-system-dependencies-the-build-system-table
"""


class ProblemError(Exception):
    """Something in a file that a stage names; carried to one ConfigError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnProject:
    """A project that is built to a wheel and installed.

    :param name: normalised.
    :param version: None where only a build tells it.
    :param dependencies: PEP 508 lines.
    :param build_requires: PEP 508 lines of what builds it.
    """

    name: str
    version: str | None
    dependencies: tuple[str, ...]
    build_requires: tuple[str, ...]


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell what keeps a file from being read.

    :raises ProblemError: in place of an OSError, and of a ValueError of `venvsmith.texts`.
    """
    try:
        yield
    except FileNotFoundError as exc:
        message = f"{path.name} does not exist"
        raise ProblemError(message) from exc
    except OSError as exc:
        message = f"{path.name} cannot be read: {exc.strerror or exc}"
        raise ProblemError(message) from exc
    except ValueError as exc:
        message = f"{path.name} {exc}"
        raise ProblemError(message) from exc


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    :raises ProblemError: where it cannot be read.
    """
    with reading(path):
        return texts.read_toml(path)


def read_dependencies(path: Path) -> tuple[str, ...]:
    """Return ``[project] dependencies`` of a pyproject.toml.

    :raises ProblemError: where they are dynamic, or not a list of strings.
    """
    return _dependencies(_table(path, read_toml(path), "project"), path)


def read_own_project(folder: Path, *, python: str) -> OwnProject:
    """Read the pyproject.toml of a folder.

    :param python: the minor version that is to run it.
    :raises ProblemError: where there is none, or it does not say what has to be known before a
        build.
    """
    path = folder / "pyproject.toml"
    if not folder.is_dir():
        message = f"there is no folder '{folder.name}'"
        raise ProblemError(message)
    if not path.is_file():
        message = (
            "there is no pyproject.toml in it: 'source' names the folder of a Python project; "
            "write one with [build-system] and [project], or name another folder"
        )
        raise ProblemError(message)
    content = read_toml(path)
    table = _table(path, content, "project")
    name = table.get("name")
    if not isinstance(name, str):
        message = f"{path.name}: there is no name in [project]; write it, with the dependencies"
        raise ProblemError(message)
    dynamic = "version" in table.get("dynamic", ())
    version = table.get("version")
    if not dynamic and not isinstance(version, str):
        message = f"{path.name}: there is no version in [project]; write it, or let it be dynamic"
        raise ProblemError(message)
    _refuse_python(path, table, python)
    system = _table(path, content, "build-system")
    requires = system.get("requires", LEGACY_REQUIRES)
    return OwnProject(
        name=canonicalize_name(name),
        version=None if dynamic else version,
        dependencies=_dependencies(table, path),
        build_requires=_strings(requires, path, "build-system.requires"),
    )


def _dependencies(table: dict[str, Any], path: Path) -> tuple[str, ...]:
    if "dependencies" in table.get("dynamic", ()):
        message = (
            f"{path.name}: [project] dependencies are dynamic, so nobody knows them before a "
            "build; list them in [project] dependencies"
        )
        raise ProblemError(message)
    return _strings(table.get("dependencies", ()), path, "project.dependencies")


def _refuse_python(path: Path, table: dict[str, Any], python: str) -> None:
    wanted = table.get("requires-python")
    if wanted is None:
        return
    try:
        specifier = SpecifierSet(wanted)
    except (InvalidSpecifier, TypeError, AttributeError) as exc:
        message = f"{path.name}: requires-python is no version specifier"
        raise ProblemError(message) from exc
    if not suits(specifier, python):
        message = f"{path.name}: it requires Python {wanted}, and project.python is {python}"
        raise ProblemError(message)


def _table(path: Path, content: dict[str, Any], key: str) -> dict[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        message = f"{path.name}: {key} is not a table"
        raise ProblemError(message)
    return table


def _strings(value: object, path: Path, key: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    message = f"{path.name}: {key} is not a list of strings"
    raise ProblemError(message)
