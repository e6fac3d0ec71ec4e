"""Where a pyproject's distributions come from: the indexes, sources and settings of its tool."""

from __future__ import annotations

import itertools
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from venvsmith.config.formats import DISTRIBUTIONS, INDEX_URL
from venvsmith.config.scalars import Moment
from venvsmith.init.heavy import backend_of_url
from venvsmith.init.places import is_file
from venvsmith.init.poetry import requirement_of
from venvsmith.init.requirements import Requirements
from venvsmith.init.sketch import DEFAULT_PYTHON, Sketch, refusal
from venvsmith.init.tables import Table, string, strings, table, tables
from venvsmith.model.platforms import marker_environment
from venvsmith.network import without_credentials
from venvsmith.texts import read_toml

_MACHINES: Final = ("x86_64", "aarch64")
_MEMBERS: Final = 100
"""Members of a workspace that are looked at."""
_TOLD: Final = {
    "conflicts": ("stages that extend one another agree", "let what conflicts be siblings"),
    "environments": ("platforms stand in the variants", "compare them"),
    "required-environments": ("platforms stand in the variants", "compare them"),
    "constraint-dependencies": ("constraints have no key", "add what matters to requires"),
    "override-dependencies": ("nothing overrides metadata", "pin versions that agree"),
    "dependency-metadata": ("nothing overrides metadata", "pin versions that agree"),
    "exclude-dependencies": ("nothing overrides metadata", "see what lock brings along"),
    "no-build-isolation-package": ("a build from source is isolated", "prefer a wheel"),
    "extra-build-dependencies": ("a build from source is isolated", "prefer a wheel"),
    "workspace": (
        "only members that tool.uv.sources names are followed",
        "run init in each other one that an image needs",
    ),
    "prerelease": (
        "pre-releases are taken only where a requirement names one",
        "pin that version",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Index:
    """An index that a pyproject names.

    :param option: the option of pip's that says the same.
    :param origin: the table that it stands in.
    """

    url: str
    option: str
    origin: str


class Sources:
    """Takes the tables of uv, poetry and pdm that say where something comes from.

    :param path: the pyproject.
    :param shown: how notes name it.
    """

    def __init__(
        self, sketch: Sketch, reader: Requirements, path: Path, shown: str, tool: Table
    ) -> None:
        self._sketch = sketch
        self._reader = reader
        self._path = path
        self._shown = shown
        self._uv = table(tool, "uv")
        self._tool = tool
        self._indexes = dict(self._named())
        self._used: set[str] = set()

    def read(self) -> None:
        """Take uv's sources and settings, and tell the indexes that nothing names."""
        for name, value in table(self._uv, "sources").items():
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, dict):
                    self._used.add(string(source.get("index")))
                    self._source(name, source)
        for source in tables(table(self._tool, "pdm").get("source")):
            for pattern in strings(source.get("include_packages")):
                self.route(pattern, string(source.get("name")))
        for name, index in self._indexes.items():
            if name not in self._used:
                self._reader.option(
                    index.option,
                    without_credentials(index.url),
                    f"{self._shown} {index.origin}",
                    base=self._path.parent,
                )
        self._settings()

    def route(self, name: str, index: str) -> bool:
        """Let a distribution come from an index; tell whether there is an index of this name."""
        found = self._indexes.get(index)
        if found is None:
            return False
        self._used.add(index)
        origin = f"{self._shown} {found.origin}"
        url = without_credentials(found.url)
        backend = backend_of_url(url)
        trouble = refusal(DISTRIBUTIONS, name) or refusal(INDEX_URL, url)
        if backend is not None:
            self._sketch.add_backend(backend, origin)
        elif found.option == "--find-links":
            self._reader.option(found.option, found.url, origin, base=self._path.parent)
        elif trouble:
            todo = "add [indexes.NAME] with an address"
            self._sketch.note("indexes", origin, f"{name} from {url}", trouble, todo)
        else:
            key = self._key(index, url)
            self._sketch.indexes.setdefault(key, (url, []))[1].append(canonicalize_name(name))
            if url != found.url:
                why = "its address holds credentials, which stay out of the configuration"
                names = f"VENVSMITH_INDEX_{key.upper().replace('-', '_')}_USERNAME and _PASSWORD"
                todo = f"set {names}, or use netrc"
                self._sketch.note("indexes", origin, index, why, todo)
        return True

    def spelled(self, place: str) -> str | None:
        """Return a path of the pyproject's as a requirement names it; None where nothing is."""
        where = self._path.parent / place
        if not is_file(where / "pyproject.toml") and not is_file(where):
            return None
        relative = os.path.relpath(where.resolve(), self._sketch.root.resolve())
        return relative if relative.startswith("..") else f"./{relative}"

    def _named(self) -> Iterator[tuple[str, _Index]]:
        """Yield the indexes by their names; one without a name by its address."""
        for key, origin in (
            ("uv", "[tool.uv.index]"),
            ("poetry", "[tool.poetry.source]"),
            ("pdm", "[tool.pdm.source]"),
        ):
            for item in tables(table(self._tool, key).get("index" if key == "uv" else "source")):
                url, name = string(item.get("url")), string(item.get("name"))
                if not url:
                    continue
                is_default = item.get("default") or item.get("priority") == "default"
                option = "--extra-index-url"
                if item.get("format") == "flat" or item.get("type") == "find_links":
                    option = "--find-links"
                elif is_default or (key, name) == ("pdm", "pypi"):
                    option = "--index-url"
                yield name or url, _Index(url=url, option=option, origin=origin)

    def _key(self, name: str, url: str) -> str:
        """Return the name of an index as the configuration has it, another one for each URL."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "index"
        key, number = slug, 1
        while self._sketch.indexes.get(key, (url, []))[0] != url:
            number += 1
            key = f"{slug}-{number}"
        return key

    def _holds(self, source: Table) -> bool:
        """Tell whether a source's marker holds on any platform that an image can have."""
        try:
            marker = Marker(string(source.get("marker")))
        except (InvalidMarker, RecursionError):
            return True
        python = self._sketch.python or DEFAULT_PYTHON
        return any(marker.evaluate(marker_environment(python, each)) for each in _MACHINES)

    def _source(self, name: str, source: Table) -> None:
        if not self._holds(source) or self.route(name, string(source.get("index"))):
            return
        known = dict(source)
        if string(source.get("path")):
            known["path"] = self.spelled(source["path"])
        elif source.get("workspace"):
            known = {"path": self._member(name)}
        text = requirement_of(name, known)
        if text is not None:
            self._sketch.requires += self._reader.requirement(text, self._shown)
            return
        why = "has no PEP 508 form"
        if "workspace" in source or "path" in source:
            why = "no pyproject.toml lies there"
        self._sketch.note(
            "stage",
            self._shown,
            f"tool.uv.sources.{name} = {source!r}",
            why,
            'write it into requires, as "NAME @ ADDRESS" or "./FOLDER"',
        )

    def _member(self, name: str) -> str | None:
        """Return the folder of a workspace's member, as a requirement names it."""
        for pattern in strings(table(self._uv, "workspace").get("members")):
            inner = posixpath.normpath(f"{pattern}/pyproject.toml")
            try:
                found = sorted(itertools.islice(self._path.parent.glob(inner), _MEMBERS))
            except (ValueError, OSError, NotImplementedError):
                continue
            for path in found:
                try:
                    said = string(table(read_toml(path), "project").get("name"))
                except (OSError, ValueError):
                    continue
                if canonicalize_name(said) == canonicalize_name(name):
                    return self.spelled(str(path.parent))
        return None

    def _settings(self) -> None:
        """Take what uv's own table says besides, in its older form too."""
        sketch, uv, pip = self._sketch, self._uv, table(self._uv, "pip")
        newer = uv.get("exclude-newer")
        if newer and (trouble := refusal(Moment(), newer)):
            what = f"tool.uv.exclude-newer = {newer!r}"
            sketch.note("project", self._shown, what, trouble, "set exclude-newer to a day")
        elif newer:
            sketch.exclude_newer = str(newer)
        for name in strings(uv.get("no-binary-package")):
            sketch.allow_build(name, f"{self._shown} [tool.uv]")
        if (backend := string(pip.get("torch-backend"))) and backend != "auto":
            sketch.add_backend(backend, f"{self._shown} [tool.uv.pip]")
        for settings, origin in ((uv, "[tool.uv]"), (pip, "[tool.uv.pip]")):
            for key in ("find-links", "extra-index-url", "index-url"):
                said = settings.get(key)
                for value in [said] if isinstance(said, str) else strings(said):
                    where = f"{self._shown} {origin}"
                    self._reader.option(f"--{key}", value, where, base=self._path.parent)
        self._tell()

    def _tell(self) -> None:
        sketch, uv = self._sketch, self._uv
        said = {f"tool.uv.{key}": told for key, told in _TOLD.items() if uv.get(key)}
        if table(self._tool, "pdm", "resolution").get("overrides"):
            said["tool.pdm.resolution.overrides"] = _TOLD["override-dependencies"]
        for what, (why, todo) in said.items():
            sketch.note("stage", self._shown, what, why, todo)
