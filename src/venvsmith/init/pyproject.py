"""A pyproject into the sketch: dependencies, extras, groups, the tables of uv, poetry and pdm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from venvsmith.config.formats import REQUIREMENTS_FILE, TORCH_BACKEND, WORD
from venvsmith.errors import UsageError
from venvsmith.init.heavy import name_of
from venvsmith.init.places import inside, is_file
from venvsmith.init.poetry import requirement_of
from venvsmith.init.requirements import Requirements
from venvsmith.init.sketch import DEFAULT_PYTHON, Sketch, refusal
from venvsmith.init.sources import Sources
from venvsmith.init.tables import Table, is_named, string, strings, table
from venvsmith.model.pythons import suits
from venvsmith.texts import read_toml

NEWEST_MINOR: Final = 14
OLDEST_MINOR: Final = 8
_BACKEND: Final = re.compile(TORCH_BACKEND.pattern or "")
_NOT_ASKED: Final = "for development, not for an image"
_DEVELOPMENT: Final = re.compile(
    r"(dev|develop|development|tests?|testing|lint|linting|docs?|documentation|typing|types|"
    r"mypy|ci|release|format|notebooks?|examples?|benchmarks?|coverage|build)([-_].*)?"
)


def read_pyproject(sketch: Sketch, path: Path, shown: str, extras: Sequence[str] = ()) -> Pyproject:
    """Read a pyproject into a sketch.

    :param shown: how notes name it.
    :param extras: extras and groups that an install names, which belong to the environment then.
    :return: what to ask for more extras, where a later install names some.
    :raises UsageError: where it cannot be read or is no TOML.
    """
    try:
        data = read_toml(path)
    except OSError as exc:
        raise UsageError(f"cannot be read: {exc.strerror}", where=shown) from exc
    except ValueError as exc:
        raise UsageError(str(exc), where=shown) from exc
    made = Pyproject(sketch, path, shown, data, extras)
    made.read()
    return made


def says_dependencies(data: Table) -> bool:
    """Tell whether a pyproject is that of a project, and not only the settings of some tools."""
    groups = table(data, "dependency-groups")
    return bool(table(data, "project") or table(data, "tool", "poetry") or groups)


class Pyproject:
    """Takes a pyproject into a sketch."""

    def __init__(
        self, sketch: Sketch, path: Path, shown: str, data: Table, extras: Sequence[str]
    ) -> None:
        self._sketch = sketch
        self._path = path
        self._shown = shown
        self._data = data
        self._wanted = {canonicalize_name(extra) for extra in extras}
        self._uv = table(data, "tool", "uv")
        self._project = table(data, "project")
        self._poetry = table(data, "tool", "poetry")
        self._name = string(self._project.get("name")) or string(self._poetry.get("name"))
        self._reader = Requirements(sketch, path.parent)
        self._sources = Sources(sketch, self._reader, path, shown, table(data, "tool"))

    def read(self) -> None:
        """Read all of it."""
        self._sketch.name = self._sketch.name or self._name
        if not says_dependencies(self._data):
            why = "it is not there, and a setup.py or setup.cfg is not read"
            self._note("[project]", why, "write name, version and dependencies there")
        self._python()
        self._read_poetry()
        self._own()
        self._read_parts()
        self._sources.read()
        self._choose_backend()

    def ask(self, extras: Sequence[str]) -> None:
        """Let more extras and groups belong to the environment."""
        fresh = {canonicalize_name(extra) for extra in extras} - self._wanted
        if not fresh:
            return
        self._wanted |= fresh
        sketch = self._sketch
        for name in [name for name in sketch.extras if self._wants(name)]:
            del sketch.extras[name]
        sketch.notes = [
            note
            for note in sketch.notes
            if note.why != _NOT_ASKED
            or not self._wants(re.split(r"[ .]", note.what.rstrip("]"))[-1])
        ]
        self._read_parts()
        self._choose_backend()

    def _wants(self, name: str) -> bool:
        return canonicalize_name(name) in self._wanted or "*" in self._wanted

    def _read_parts(self) -> None:
        """Take what is installed only where it is asked for."""
        self._read_poetry_groups()
        self._read_extras()
        self._read_groups()

    def _unasked_backends(self) -> set[str]:
        """Return the extras that stand for another torch than the one that the install names."""
        offered = set(filter(_BACKEND.fullmatch, table(self._project, "optional-dependencies")))
        asked = {name for name in offered if canonicalize_name(name) in self._wanted}
        return offered - asked if asked else set()

    def _choose_backend(self) -> None:
        unasked = self._unasked_backends()
        self._sketch.backends = [each for each in self._sketch.backends if each not in unasked]

    def _note(self, what: str, why: str, todo: str) -> None:
        self._sketch.note("stage", self._shown, what, why, todo)

    def _python(self) -> None:
        wanted = string(self._project.get("requires-python"))
        poetry = string(table(self._poetry, "dependencies").get("python"))
        specifier = wanted
        if not wanted and poetry:
            wanted = poetry
            specifier = (requirement_of("python", poetry) or "python?").removeprefix("python")
        if not wanted or self._sketch.python:
            return
        minor = minor_for(specifier)
        if minor is None:
            why = "no Python from 3.8 on suits it"
            self._sketch.note("project", self._shown, f"Python {wanted}", why, "set python")
            return
        self._sketch.python = minor
        self._sketch.python_why = f"{self._shown} says {wanted}"

    def _own(self) -> None:
        """Take the project itself and its dependencies, which stay where they are written."""
        sketch = self._sketch
        entry = inside(self._path.parent, sketch.root)
        if entry is None:
            self._note(self._shown, "lies outside this folder", "move the configuration beside it")
            return
        if "dependencies" in strings(self._project.get("dynamic")):
            self._dynamic(entry)
            return
        # For what it tells, and for the names; lock reads the file itself.
        own = [
            text
            for line in strings(self._project.get("dependencies"))
            for text in self._reader.requirement(line, self._shown)
        ]
        if self._is_package() and not is_named(self._data):
            why = "lock reads name and version in [project] only, so it is not installed"
            todo = f'write them there, then give the last stage source = "{entry}"'
            self._note("the project itself", why, todo)
        elif self._is_package():
            self._install(entry, own)
            return
        if own:
            sketch.requires_files[_file(entry)] = own

    def install(self) -> None:
        """Install the project itself, as pip does also where there is no [build-system]."""
        entry = inside(self._path.parent, self._sketch.root)
        dynamic = strings(self._project.get("dynamic"))
        if entry is None or not is_named(self._data) or "dependencies" in dynamic:
            return
        if self._sketch.source != entry and f"./{entry}" not in self._sketch.requires:
            self._install(entry, self._sketch.requires_files.pop(_file(entry), []))

    def _install(self, entry: str, own: list[str]) -> None:
        sketch = self._sketch
        taken, held = self._reader.take_project(entry)
        self._reader.take(held if taken else [f"./{entry}"])
        if taken:
            sketch.source_requires = own
            sketch.source_module = self._module()
            scripts = table(self._project, "scripts") or table(self._poetry, "scripts")
            sketch.scripts = [name for name in scripts if refusal(WORD, name) is None]

    def _is_package(self) -> bool:
        said = (
            self._uv.get("package"),
            self._poetry.get("package-mode"),
            table(self._data, "tool", "pdm").get("distribution"),
        )
        if False in said:
            return False
        # uv's rule: without a build system, a project is not installed.
        return "build-system" in self._data and bool(self._project or self._poetry)

    def _module(self) -> str:
        module = re.sub(r"[-.]+", "_", self._name).lower()
        for folder in (self._path.parent / "src", self._path.parent):
            if module.isidentifier() and is_file(folder / module / "__init__.py"):
                return module
        return ""

    def _dynamic(self, entry: str) -> None:
        tool = table(self._data, "tool")
        setuptools = table(tool, "setuptools", "dynamic", "dependencies").get("file")
        hatch = table(tool, "hatch", "metadata", "hooks", "requirements_txt")
        names = [file for file in (setuptools, hatch.get("filename")) if isinstance(file, str)]
        names += [*strings(setuptools), *strings(hatch.get("files"))]
        for name in names:
            path = self._path.parent / name
            if is_file(path):
                self._reader.file(path, name)
        self._reader.tell_unused(self._shown)
        told = f", which {' and '.join(names)} hold" if names else ""
        self._note(
            "dynamic dependencies",
            f"lock reads [project] dependencies only{told}; the project itself is not installed",
            f'write them there, then give the last stage source = "{entry}"',
        )

    def _read_poetry(self) -> None:
        own = dict(table(self._poetry, "dependencies"))
        own.pop("python", None)
        for name, value in own.items():
            if not table({"": value}, "").get("optional"):
                self._reader.take(self._translated(name, value))
        if own and not self._project:
            self._note(
                "[tool.poetry.dependencies]",
                "lock reads PEP 621's [project]; these were copied into requires, which you now "
                "edit",
                "move them to [project] dependencies to have them in one place",
            )

    def _read_poetry_groups(self) -> None:
        for group in table(self._poetry, "group"):
            pairs = table(self._poetry, "group", group, "dependencies").items()
            self._group(group, f"[tool.poetry.group.{group}]", pairs)
        if self._poetry.get("dev-dependencies"):
            self._left_out("[tool.poetry.dev-dependencies]")

    def _translated(self, name: str, value: Any) -> list[str]:
        """Return the requirements of a dependency as poetry has it: one, or one for each case."""
        found = []
        for one in value if isinstance(value, list) else [value]:
            known = dict(one) if isinstance(one, Mapping) else {"version": one}
            index = string(known.pop("source", ""))
            routed = bool(index) and self._sources.route(name, index)
            if index and not routed and index.lower() != "pypi":
                known["source"] = index
            if place := string(known.pop("path", "")) or string(known.pop("file", "")):
                known["path"] = self._sources.spelled(place) or {}
            if not known and self._project:
                continue  # [project] has its version
            text = requirement_of(name, known)
            if text is None:
                self._note(
                    f"{name} = {one!r}", "has no PEP 508 form that lasts", "add it to requires"
                )
            else:
                found += self._reader.requirement(text, self._shown)
        return found

    def _group(self, name: str, what: str, pairs: Iterable[tuple[str, Any]]) -> None:
        """Take an extra or a group of poetry's to where it belongs."""
        if self._wants(name):
            self._reader.take([t for pair in pairs for t in self._translated(*pair)])
        elif _DEVELOPMENT.fullmatch(name.lower()):
            self._left_out(what)
        else:
            self._stage(name, [t for pair in pairs for t in self._translated(*pair)])

    def _left_out(self, what: str) -> None:
        self._note(what, _NOT_ASKED, "add its requirements to a stage if an image needs them")

    def _read_extras(self) -> None:
        for name in table(self._project, "optional-dependencies"):
            if name in self._unasked_backends():
                todo = f'add a variant with torch-backend = "{name}" to have both'
                self._note(f"extra {name}", "the install names another torch", todo)
            elif _BACKEND.fullmatch(name):
                self._sketch.add_backend(name, self._shown)
                self._reader.take(self._extra(name))
            elif self._wants(name):
                self._reader.take(self._extra(name))
            elif _DEVELOPMENT.fullmatch(name.lower()):
                self._left_out(f"extra {name}")
            else:
                self._stage(name, self._extra(name))
        optional = table(self._poetry, "dependencies")
        for name, names in table(self._poetry, "extras").items():
            pairs = [(each, optional[each]) for each in strings(names) if each in optional]
            self._group(name, f"poetry's extra {name}", pairs)

    def _extra(self, name: str, within: tuple[str, ...] = ()) -> list[str]:
        """Return what an extra stands for, with what it names of the project's other extras."""
        found: list[str] = []
        optional = table(self._project, "optional-dependencies")
        for line in strings(optional[name]):
            for text in self._reader.requirement(line, f"{self._shown} extra {name}"):
                if not self._name or name_of(text) != canonicalize_name(self._name):
                    found.append(text)
                    continue
                asked = {canonicalize_name(extra) for extra in Requirement(text).extras}
                for other in optional:
                    if canonicalize_name(other) in asked and other not in {name, *within}:
                        found += self._extra(other, (*within, name))
        return list(dict.fromkeys(found))

    def _read_groups(self) -> None:
        entry = inside(self._path, self._sketch.root)
        for name in table(self._data, "dependency-groups"):
            wanted = canonicalize_name(name) in self._wanted
            if entry is None or (not wanted and _DEVELOPMENT.fullmatch(name.lower())):
                self._left_out(f"dependency group {name}")
            elif trouble := refusal(REQUIREMENTS_FILE, f"{entry}:{name}"):
                todo = "rename it, or copy its requirements into a stage"
                self._note(f"dependency group {name}", trouble, todo)
            elif wanted:
                self._sketch.requires_files[f"{entry}:{name}"] = []
            else:
                self._stage(name, [f"{entry}:{name}"])
        for key in ("uv", "pdm"):
            if table(self._data, "tool", key).get("dev-dependencies"):
                self._left_out(f"tool.{key}.dev-dependencies")
        for name, settings in table(self._data, "tool", "hatch", "envs").items():
            if {"dependencies", "extra-dependencies"} & set(table({"": settings}, "")):
                self._left_out(f"[tool.hatch.envs.{name}]")

    def _stage(self, name: str, lines: list[str]) -> None:
        if lines:
            self._sketch.extras[name] = lines


def _file(entry: str) -> str:
    """Return the entry of ``requires-file`` for the pyproject of a folder."""
    return "pyproject.toml" if entry == "." else f"{entry}/pyproject.toml"


def minor_for(specifier: str) -> str | None:
    """Return the Python minor for a ``requires-python``: the usual one, or the nearest allowed."""
    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    usual = int(DEFAULT_PYTHON.partition(".")[2])
    minors = range(OLDEST_MINOR, NEWEST_MINOR + 1)
    fitting = [minor for minor in minors if suits(allowed, f"3.{minor}")]
    nearest = min(fitting, key=lambda minor: abs(minor - usual), default=None)
    return None if nearest is None else f"3.{nearest}"
