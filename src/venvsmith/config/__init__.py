"""The configuration: finds ``venvsmith.toml``, reads it, and tells every mistake in it at once.

`load` is the room's door. Nothing here looks at anything but the configuration file itself.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvsmith.config.check import coherence, references
from venvsmith.config.keys import DOCUMENT
from venvsmith.config.project import project, settle
from venvsmith.config.tags import fill, tags_of
from venvsmith.config.wording import harmless
from venvsmith.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from venvsmith.config.kinds import Problems
    from venvsmith.model.project import Project

__all__ = ["FILE", "PYPROJECT", "check", "fill", "find", "lies_in", "load", "tags_of"]

FILE = "venvsmith.toml"
PYPROJECT = "pyproject.toml"
SIZE_LIMIT = 1024 * 1024
"""Bytes that a configuration may have; a longer file is some other one."""


def load(file: Path | None, *, start: Path | None = None) -> Project:
    """Return the configuration, checked and with defaults filled in.

    :param file: the file to read; where None, it is looked for (see `find`).
    :param start: the folder to look from; the working directory where None.
    :raises ConfigError: with everything that is wrong in it.
    :raises UsageError: where there is no configuration.
    """
    file = find(start) if file is None else file
    # The folder is resolved, the file's own name is not: a linked file belongs where it is linked.
    file = file.parent.resolve() / file.name
    table, prefix = _table(file)
    settled, problems = _read(table, file=file)
    if problems:
        problems = [(f"{prefix}.{key}".strip("."), text) for key, text in problems]
        raise ConfigError(problems, file=_named(file))
    return settled


def check(text: str, *, file: Path) -> Project:
    """Return the configuration that a text would be, were it in a file.

    :param file: the absolute path that it is meant for.
    :raises ConfigError: with everything that is wrong in it.
    """
    settled, problems = _read(_parsed(text.encode("utf-8"), file=file), file=file)
    if problems:
        raise ConfigError(problems, file=_named(file))
    return settled


def _read(table: object, *, file: Path) -> tuple[Project, Problems]:
    """Return the project and what is wrong with it; it is whole only where nothing is."""
    problems: Problems = []
    draft = project(DOCUMENT.read(table, "", problems), file=file)
    settled = settle(draft)
    # A refused name stays in the tables, so that what refers to it is not refused as well; it may
    # then stand in other messages too.
    across = [*references(draft), *coherence(draft, settled)]
    problems += [(key, harmless(text)) for key, text in across]
    return settled, problems


def find(start: Path | None = None) -> Path:
    """Return the nearest configuration file, from a folder upwards.

    In one folder ``venvsmith.toml`` comes before ``pyproject.toml``; a ``pyproject.toml`` without
    the table ``[tool.venvsmith]`` does not count.

    :param start: the folder to look from; the working directory where None.
    :raises UsageError: where there is none up to the root of the file system.
    """
    try:
        folder = (start or Path.cwd()).resolve()
    except OSError as exc:
        message = f"the working directory cannot be read: {exc.strerror}"
        raise UsageError(message, code="config") from exc
    for place in (folder, *folder.parents):
        if (file := lies_in(place)) is not None:
            return file
    message = f"no {FILE}, and no {PYPROJECT} with [tool.venvsmith], here or in a folder above"
    raise UsageError(
        message,
        where=str(folder),
        hint="run `venvsmith init`, or name one with --config FILE",
        code="config",
    )


def lies_in(folder: Path) -> Path | None:
    """Return the configuration file of one folder, of which `find` says what counts.

    :raises ConfigError: where a ``pyproject.toml`` names us and is no TOML.
    :raises UsageError: where it cannot be read.
    """
    if _is_file(folder / FILE):
        return folder / FILE
    if _is_file(folder / PYPROJECT) and _has_table(folder / PYPROJECT):
        return folder / PYPROJECT
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that we may not search holds no configuration of ours
        return False


def _has_table(file: Path) -> bool:
    """Return whether a pyproject has our table; one that does not name us is not even parsed."""
    data = _bytes(file)
    if b"venvsmith" not in data:
        return False
    tool = _parsed(data, file=file).get("tool")
    return isinstance(tool, dict) and "venvsmith" in tool


def _table(file: Path) -> tuple[Any, str]:
    """Return the configuration's table and the path of keys that leads to it."""
    document = _parsed(_bytes(file), file=file)
    if file.name != PYPROJECT:
        return document, ""
    tool = document.get("tool")
    if not isinstance(tool, dict) or "venvsmith" not in tool:
        raise ConfigError([("tool.venvsmith", "there is no such table")], file=_named(file))
    return tool["venvsmith"], "tool.venvsmith"


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except OSError as exc:
        message = f"cannot be read: {exc.strerror or exc}"
        raise UsageError(message, where=_named(file), code="config") from exc
    if len(data) > SIZE_LIMIT:
        message = f"is longer than {SIZE_LIMIT // 1024} KiB, which no configuration needs"
        raise UsageError(message, where=_named(file), code="config")
    return data


def _parsed(data: bytes, *, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        problem = (f"byte {exc.start}", "is not UTF-8, in which TOML is written")
    except tomllib.TOMLDecodeError as exc:
        text, _, position = str(exc).rstrip(")").rpartition(" (at ")
        problem = (position, f"is no TOML: {text}")
    except RecursionError:
        problem = ("TOML", "is nested too deeply")
    except ValueError:  # Python limits how many digits of an integer it converts
        problem = ("TOML", "holds an integer of thousands of digits")
    raise ConfigError([problem], file=_named(file))


def _named(file: Path) -> str:
    """Return the file as a user would name it: relative where it lies below this folder."""
    try:
        return str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)
