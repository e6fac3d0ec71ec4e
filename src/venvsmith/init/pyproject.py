"""A pyproject into the sketch: dependencies, extras, groups, uv's tables, poetry's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from venvsmith.errors import UsageError
from venvsmith.init.heavy import backend_of_url
from venvsmith.init.poetry import requirement_of
from venvsmith.init.requirements import Requirements, inside, read_text, without_credentials
from venvsmith.init.sketch import DEFAULT_PYTHON, Sketch

NEWEST_MINOR: Final = 14
OLDEST_MINOR: Final = 8
_DEVELOPMENT: Final = re.compile(
    r"(dev|develop|development|tests?|testing|lint|linting|docs?|documentation|typing|types|"
    r"mypy|ci|release|format|notebooks?|examples?|benchmarks?|coverage|build)([-_].*)?"
)
_BACKEND: Final = re.compile(r"cpu|xpu|cu[0-9]{2,3}|rocm[0-9.]+")
Table = Mapping[str, Any]


def read_pyproject(sketch: Sketch, path: Path, shown: str, extras: Sequence[str] = ()) -> None:
    """Read a pyproject into a sketch.

    :param shown: how notes name it.
    :param extras: extras that an install names, which belong to the environment then.
    :raises UsageError: where it cannot be read or is no TOML.
    """
    try:
        data = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"is no TOML: {exc}", where=shown) from exc
    _Pyproject(sketch, path, shown, data, extras).read()


def _table(data: Any, *keys: str) -> Table:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def _strings(data: Any) -> list[str]:
    return [item for item in data if isinstance(item, str)] if isinstance(data, list) else []


class _Pyproject:
    def __init__(
        self, sketch: Sketch, path: Path, shown: str, data: Table, extras: Sequence[str]
    ) -> None:
        self._sketch = sketch
        self._path = path
        self._shown = shown
        self._data = data
        self._wanted = {canonicalize_name(extra) for extra in extras}
        self._uv = _table(data, "tool", "uv")
        self._project = _table(data, "project")
        self._poetry = _table(data, "tool", "poetry")
        self._reader = Requirements(sketch, path.parent)

    def read(self) -> None:
        sketch = self._sketch
        name = self._project.get("name") or self._poetry.get("name")
        if isinstance(name, str) and not sketch.name:
            sketch.name = name
        self._python()
        if "dependencies" in _table(self._poetry):
            self._read_poetry()
        self._own()
        self._read_extras()
        self._read_groups()
        self._read_sources()
        self._read_uv()

    def _note(self, what: str, why: str, todo: str) -> None:
        self._sketch.note("stage", self._shown, what, why, todo)

    def _python(self) -> None:
        wanted = self._project.get("requires-python")
        if not isinstance(wanted, str) or self._sketch.python:
            return
        minor = minor_for(wanted)
        if minor is None:
            why = "no Python from 3.8 on suits it"
            self._sketch.note(
                "project", self._shown, f"requires-python {wanted}", why, "set python"
            )
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
        if "dependencies" in _strings(self._project.get("dynamic")):
            self._dynamic(entry)
            return
        own = _strings(self._project.get("dependencies"))
        for line in own:
            self._reader.requirement(line, self._shown)  # for what it tells; lock reads the file
        if self._is_package():
            sketch.source = entry
            sketch.source_requires = own
            sketch.source_module = self._module()
            sketch.scripts = list(_table(self._project, "scripts"))
        elif own:
            file = "pyproject.toml" if entry == "." else f"{entry}/pyproject.toml"
            sketch.requires_files[file] = own

    def _is_package(self) -> bool:
        if self._uv.get("package") is False or self._poetry.get("package-mode") is False:
            return False
        # uv's rule: without a build system, a project is not installed.
        return "build-system" in self._data and bool(self._project or self._poetry)

    def _module(self) -> str:
        name = str(self._project.get("name") or self._poetry.get("name") or "")
        module = re.sub(r"[-.]+", "_", name).lower()
        for folder in (self._path.parent / "src", self._path.parent):
            if module.isidentifier() and (folder / module / "__init__.py").is_file():
                return module
        return ""

    def _dynamic(self, entry: str) -> None:
        files = _table(self._data, "tool", "setuptools", "dynamic", "dependencies").get("file")
        names = [files] if isinstance(files, str) else _strings(files)
        for name in names:
            path = self._path.parent / name
            if path.is_file():
                self._reader.file(path, name)
        told = f", which {' and '.join(names)} hold" if names else ""
        self._note(
            "dynamic dependencies",
            f"lock reads [project] dependencies only{told}; the project itself is not installed",
            f'write them there, then give the last stage source = "{entry}"',
        )

    def _read_poetry(self) -> None:
        where = self._shown
        for name, value in _table(self._poetry, "dependencies").items():
            if name.lower() == "python":
                if isinstance(value, str) and not self._sketch.python:
                    spec = requirement_of("python", value)
                    self._sketch.python = minor_for((spec or "").removeprefix("python")) or ""
                    self._sketch.python_why = f"{where} says {value}"
                continue
            if isinstance(value, Mapping) and value.get("optional"):
                continue  # told with the extras
            text = requirement_of(name, value)
            if text is None:
                self._note(
                    f"{name} = {value!r}", "has no PEP 508 form that lasts", "add it to requires"
                )
            else:
                self._sketch.requires.append(text)
        self._note(
            "[tool.poetry.dependencies]",
            "lock reads PEP 621's [project]; these were copied into requires, which you now edit",
            "move them to [project] dependencies to have them in one place",
        )
        for group in _table(self._poetry, "group"):
            if not _DEVELOPMENT.fullmatch(group.lower()):
                lines = [
                    text
                    for name, value in _table(self._poetry, "group", group, "dependencies").items()
                    if (text := requirement_of(name, value))
                ]
                self._stage(group, lines)
            else:
                self._left_out(f"[tool.poetry.group.{group}]")

    def _left_out(self, what: str) -> None:
        why = "for development, not for an image"
        self._note(what, why, "add its requirements to a stage if an image needs them")

    def _read_extras(self) -> None:
        for name, value in _table(self._project, "optional-dependencies").items():
            lines = [
                text for line in _strings(value) for text in self._reader.requirement(line, name)
            ]
            own = canonicalize_name(str(self._project.get("name") or ""))
            if any(canonicalize_name(re.split(r"[\[ ]", line)[0]) == own for line in lines):
                self._note(
                    f"extra {name}", "it names extras of the project itself", "write them out"
                )
                continue
            if _BACKEND.fullmatch(name):
                if name not in self._sketch.backends:
                    self._sketch.backends.append(name)
                known = set(self._sketch.requires)
                self._sketch.requires += [line for line in lines if line not in known]
            elif canonicalize_name(name) in self._wanted or "*" in self._wanted:
                self._sketch.requires += lines
            elif _DEVELOPMENT.fullmatch(name.lower()):
                self._left_out(f"extra {name}")
            else:
                self._stage(name, lines)
        extras = _table(self._poetry, "extras")
        if extras:
            self._note(f"poetry's extras {', '.join(extras)}", "are not read", "give each a stage")

    def _read_groups(self) -> None:
        for name in _table(self._data, "dependency-groups"):
            entry = inside(self._path, self._sketch.root)
            if entry is not None and canonicalize_name(name) in self._wanted:
                self._sketch.requires_files[f"{entry}:{name}"] = []
            elif _DEVELOPMENT.fullmatch(name.lower()) or entry is None:
                self._left_out(f"dependency group {name}")
            else:
                self._sketch.extras[name] = [f"{entry}:{name}"]

    def _stage(self, name: str, lines: list[str]) -> None:
        if lines:
            self._sketch.extras[name] = lines

    def _read_sources(self) -> None:
        indexes = {
            str(item.get("name")): str(item.get("url", ""))
            for item in self._uv.get("index", [])
            if isinstance(item, Mapping)
        }
        used: set[str] = set()
        for name, value in _table(self._uv, "sources").items():
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, Mapping):
                    used.add(str(source.get("index", "")))
                    self._source(name, source, indexes)
        for item in self._uv.get("index", []):
            if isinstance(item, Mapping) and str(item.get("name")) not in used:
                url = without_credentials(str(item.get("url", "")))
                option = "--index-url" if item.get("default") else "--extra-index-url"
                self._reader.option(option, url, f"{self._shown} [tool.uv.index]", base=None)

    def _source(self, name: str, source: Table, indexes: Mapping[str, str]) -> None:
        index = source.get("index")
        if isinstance(index, str) and index in indexes:
            url = indexes[index]
            backend = backend_of_url(url)
            if backend is None:
                slug = re.sub(r"[^a-z0-9]+", "-", index.lower()).strip("-") or "index"
                _, names = self._sketch.indexes.setdefault(slug, (url, []))
                names.append(canonicalize_name(name))
            elif backend not in self._sketch.backends:
                self._sketch.backends.append(backend)
            return
        text = requirement_of(name, source)
        if text is not None:
            self._sketch.requires.append(text)
            return
        self._note(
            f"tool.uv.sources.{name}",
            "a path or a workspace's member is not followed",
            "lock takes it as a wheel in a folder of find-links",
        )

    def _read_uv(self) -> None:
        sketch = self._sketch
        newer = self._uv.get("exclude-newer")
        if isinstance(newer, str):
            sketch.exclude_newer = newer
        sketch.no_wheel += _strings(self._uv.get("no-binary-package"))
        told = {
            "conflicts": ("stages that extend one another agree", "let what conflicts be siblings"),
            "environments": ("platforms stand in the variants", "compare them"),
            "required-environments": ("platforms stand in the variants", "compare them"),
            "constraint-dependencies": ("constraints have no key", "add what matters to requires"),
            "override-dependencies": ("nothing overrides metadata", "pin versions that agree"),
            "workspace": ("members are not followed", "run init in each member"),
        }
        for key, (why, todo) in told.items():
            if self._uv.get(key):
                self._note(f"tool.uv.{key}", why, todo)


def minor_for(specifier: str) -> str | None:
    """Return the Python minor for a ``requires-python``: the usual one, or the nearest allowed."""
    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    fitting = [
        minor
        for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1)
        if f"3.{minor}.20" in allowed or f"3.{minor}.0" in allowed
    ]
    if not fitting:
        return None
    usual = int(DEFAULT_PYTHON.partition(".")[2])
    return f"3.{min(fitting, key=lambda minor: abs(minor - usual))}"
