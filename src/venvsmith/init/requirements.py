"""Requirements as pip takes them, in files and on command lines, into the sketch."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from venvsmith.config.formats import REQUIREMENT, WHEELS
from venvsmith.config.scalars import Moment
from venvsmith.errors import UsageError
from venvsmith.init.addresses import VCS, named, trouble
from venvsmith.init.heavy import backend_of, backend_of_url, name_of
from venvsmith.init.lines import lines_of, source_text, split_option
from venvsmith.init.places import exists, inside, is_file
from venvsmith.init.sketch import Sketch, refusal
from venvsmith.init.tables import is_named
from venvsmith.network import credentials_in, parts_of, without_credentials
from venvsmith.texts import read_toml

FILES: Final = 100
"""Files that one file may bring in, itself among them."""
_OPTION = re.compile(r"\s--(?:hash|global-option|config-settings?|install-option)[= ]\S+")
_NAMED = re.compile(r"[\w.-]+=[a-z]+://")
"""An index as uv's ``--index`` names it."""
_VARIABLE = re.compile(r"\$\{|\{(?:root|home|env)\b")
"""What pip and pdm fill in from the environment, and hatch from the project's place."""
_MADE_WITH = re.compile(r"^#.*(?:with Python |--python-version[ =])(3\.\d+)", re.MULTILINE)
DROPPED: Final = {
    "--require-hashes": "locks always have hashes",
    "--prefer-binary": "wheels are always preferred",
    "--only-binary": "only wheels are installed",
    "--no-cache-dir": "no cache stays in an image",
}


class Requirements:
    """Takes requirements and pip's options into a sketch.

    :param folder: where relative local paths start; None where it cannot be told.
    """

    def __init__(self, sketch: Sketch, folder: Path | None) -> None:
        self._sketch = sketch
        self._folder = folder
        self._constraints: dict[str, str] = {}
        self._seen: set[str] = set()
        self._files = 0

    def file(self, path: Path, shown: str) -> None:
        """Read a requirements file: named in ``requires-file`` where `lock` can read it itself."""
        found: list[str] = []
        self._files = 0
        plain = self._collect(path, shown, found)
        entry = inside(path, self._sketch.root)
        if plain and entry is not None and not self._constraints:
            self._sketch.requires_files[entry] = found
        else:
            self.take(found)

    def take(self, lines: Sequence[str]) -> None:
        """Add requirements, within the constraints that were named before them."""
        for line in map(self._constrained, lines):
            if line not in self._sketch.requires:
                self._sketch.requires.append(line)

    def _collect(self, path: Path, shown: str, found: list[str]) -> bool:
        """Add a file's requirements; tell whether it holds nothing that `lock` would refuse."""
        self._files += 1
        if self._files > FILES:
            raise UsageError("files include one another without end", where=shown)
        plain = True
        text = source_text(path)
        if (made := _MADE_WITH.search(text)) and not self._sketch.python:
            self._sketch.python, self._sketch.python_why = made[1], f"{shown} was compiled for it"
        for line in lines_of(text):
            origin = f"{shown}:{line.number}"
            if line.text.startswith("-"):
                name, value = split_option(line.text)
                if name == "--requirement" and "://" not in value:
                    inner = path.parent / value
                    below = str(Path(shown).parent / value)
                    plain = self._collect(inner, below, found) and plain
                else:
                    plain = False
                    found += self.option(name, value, origin, base=path.parent)
            else:
                plain = self._line(line.text, origin, found) and plain
        return plain

    def _line(self, text: str, origin: str, found: list[str]) -> bool:
        bare = _OPTION.sub("", text).strip()
        if bare != text and "--hash" not in text:
            self._sketch.note(
                "stage", origin, text, "options of one requirement are not kept", "see if it builds"
            )
        read = self.requirement(bare, origin)
        found += read
        return read == [bare] and " @ " not in bare

    def _constrained(self, line: str) -> str:
        self._seen.add(name_of(line))
        extra = self._constraints.get(name_of(line))
        if extra is None or Requirement(line).url is not None:
            return line
        requirement = Requirement(line)
        requirement.specifier &= Requirement(extra).specifier
        return str(requirement)

    def tell_unused(self, origin: str) -> None:
        """Tell the constraints that limit nothing which was named."""
        rest = [text for name, text in self._constraints.items() if name not in self._seen]
        if rest:
            self._sketch.note(
                "stage",
                origin,
                f"constraints {', '.join(rest[:6])}{' …' if len(rest) > 6 else ''}",  # noqa: PLR2004
                "they limit distributions that only others require",
                "put into requires those that still matter",
            )

    def requirement(self, text: str, origin: str) -> list[str]:
        """Return a requirement as the configuration takes it; nothing where it was noted."""
        note = self._sketch.note
        if _VARIABLE.search(text):
            why = "a variable of the environment stands in it"
            note("stage", origin, text, why, "write it out, and credentials into netrc")
            return []
        if _is_local(text):
            return self._local(text, origin)
        full = named(text)
        if full is None:
            why = "its address does not say which distribution it is"
            note("stage", origin, text, why, 'write "NAME @ ADDRESS"')
            return []
        refused = refusal(REQUIREMENT, full)
        url = "" if refused else (Requirement(full).url or "")
        if url.startswith("file:"):
            return self._on_disk(Requirement(full), url, origin)
        if refused or (refused := trouble(url)):
            note("stage", origin, text, refused, "write it as PEP 508 has it, into requires")
            return []
        if VCS.match(text) and "egg=" not in text:
            why = f"the name {full.partition(' @ ')[0]} is guessed from the address"
            note("stage", origin, text, why, "compare it with the project's own name")
        backend = backend_of(full)
        if backend is not None:
            self._sketch.add_backend(backend, origin)
        return [full]

    def _on_disk(self, requirement: Requirement, url: str, origin: str) -> list[str]:
        """Take ``NAME @ file:///...``, which pip and conda write of what came from a folder."""
        parts = parts_of(url)
        path = Path(unquote(parts.path if parts is not None else ""))
        entry = inside(path, self._sketch.root) if exists(path) else None
        if entry is not None:
            requirement.url = f"./{entry}"
            return [str(requirement)]
        what = str(requirement)
        requirement.url = None
        why = "it lay on the machine that wrote this, so that only its name is required"
        self._sketch.note("stage", origin, what, why, "pin the version that it had")
        return [str(requirement)]

    def _local(self, text: str, origin: str) -> list[str]:
        bare, _, marker = (part.strip() for part in text.partition(";"))
        path, bracket, extras = re.sub(r"^file:(//)?", "", bare).partition("[")
        where = None if self._folder is None else self._folder / path.partition("#")[0].strip()
        if path.endswith(".whl"):
            return self._wheel(path, origin, inside(where, self._sketch.root) if where else None)
        if where is None or not _is_lockable(where):
            why = "no pyproject.toml there has name and version in [project], which lock reads"
            self._sketch.note("stage", origin, text, why, "write one, then name it under source")
            return []
        entry = inside(where, self._sketch.root)
        taken, held = self.take_project(entry) if entry is not None else (False, [])
        if not taken:
            spelled = entry or os.path.relpath(where.resolve(), self._sketch.root.resolve())
            line = spelled if spelled.startswith("..") else f"./{spelled}"
            return [f"{line}{bracket}{extras}{f' ; {marker}' if marker else ''}"]
        if extras:
            why = "extras of a project of your own are not installed"
            self._sketch.note("stage", origin, text, why, "put what they name into requires")
        return held

    def take_project(self, entry: str) -> tuple[bool, list[str]]:
        """Make a folder the ``source``, unless another is; this folder's own goes before others.

        :return: whether it is the source now, and the requirement of what was it until now.
        """
        before = self._sketch.source
        if before not in {None, entry, "."} and entry != ".":
            return False, []
        if before == "." and entry != ".":
            return False, []
        self._sketch.source = entry
        return True, [] if before in {None, entry} else [f"./{before}"]

    def _wheel(self, text: str, origin: str, entry: str | None) -> list[str]:
        try:
            name, version, _, _ = parse_wheel_filename(Path(text).name)
        except ValueError:
            self._sketch.note("stage", origin, text, "is no wheel's name", "name it in requires")
            return []
        folder = str(Path(entry).parent) if entry else ""
        folder = "" if refusal(WHEELS, folder) else folder
        if folder and folder not in self._sketch.find_links:
            self._sketch.find_links.append(folder)
        elif not folder:
            why = "the wheel does not lie in this folder"
            self._sketch.note("variant", origin, text, why, "name its folder under find-links")
        return [f"{name}=={version}"]

    def option(self, name: str, value: str, origin: str, *, base: Path | None) -> list[str]:
        """Take an option of pip's; return the requirements that it stands for."""
        sketch = self._sketch
        if name == "--editable":
            return self.requirement(value, origin)
        if name in {"--index-url", "--extra-index-url"}:
            self._index(name, value, origin)
        elif name == "--find-links":
            self._links(value, origin, base)
        elif name == "--constraint":
            self._constrain(value, origin, base)
        elif name == "--exclude-newer" and refusal(Moment(), value) is None:
            sketch.exclude_newer = value
        elif name == "--no-binary" and value not in {":all:", ":none:"}:
            for part in filter(None, re.split(r"[\s,]+", value)):
                sketch.allow_build(part, origin)
        elif name not in DROPPED:
            why, todo = _OPTIONS.get(name, ("an option that has no counterpart", "see if it locks"))
            sketch.note("stage", origin, f"{name} {value}".strip(), why, todo)
        return []

    def _index(self, name: str, value: str, origin: str) -> None:
        if _NAMED.match(value):
            value = value.partition("=")[2]
        backend = backend_of_url(value)
        if backend is not None:
            self._sketch.add_backend(backend, origin)
            return
        why = (
            "each index lists the packages it may serve, so that no name is looked up elsewhere"
            if name == "--extra-index-url"
            else "the default index is this machine's (UV_DEFAULT_INDEX, PIP_INDEX_URL)"
        )
        todo = f'add [indexes.NAME] with url = "{without_credentials(value)}" and packages = [...]'
        if name == "--index-url":
            todo = f"set it there; for some names only: {todo}"
        self._sketch.note("indexes", origin, f"{name} {value}", why, todo)

    def _links(self, value: str, origin: str, base: Path | None) -> None:
        if backend_of_url(value) is not None:
            self._index("--find-links", value, origin)
            return
        link = value
        if "://" not in value:
            link = (inside(base / value, self._sketch.root) if base is not None else None) or ""
        if link and not credentials_in(link) and refusal(WHEELS, link) is None:
            if link not in self._sketch.find_links:
                self._sketch.find_links.append(link)
            return
        why = "not a folder of this project, nor an address without credentials"
        self._sketch.note(
            "variant", origin, f"--find-links {value}", why, "name it under find-links"
        )

    def _constrain(self, value: str, origin: str, base: Path | None) -> None:
        path = None if base is None else base / value
        if path is None or not is_file(path):
            why = "the constraints file is not there"
            self._sketch.note(
                "stage", origin, f"--constraint {value}", why, "name them in requires"
            )
            return
        for line in lines_of(source_text(path)):
            text = _OPTION.sub("", line.text).strip()
            try:
                name = canonicalize_name(Requirement(text).name)
            except (InvalidRequirement, RecursionError):
                continue
            self._constraints[name] = text


_OPTIONS: Final = {
    "--requirement": ("no file is fetched", "save it here, and name it under requires-file"),
    "--pre": ("pre-releases are taken only where a requirement names one", "pin that version"),
    "--trusted-host": ("an index's certificate is always checked", "name its CA to the build"),
    "--no-deps": ("lock resolves the dependencies too", "read its lockfile; pin what must stay"),
    "--no-index": ("the default index is this machine's", "run lock with --offline"),
    "--no-binary": ("only named distributions may be built", "name them under no-wheel"),
    "--no-build-isolation": ("a build from source is isolated", "prefer a wheel"),
    "--override": ("nothing overrides metadata", "pin versions that agree"),
    "--exclude-newer": ("it is no day, nor a time with an offset", "set exclude-newer"),
    "--target": ("packages go into a venv", "start Python from the venv"),
    "--system-site-packages": ("a venv sees nothing of the system", "name what it needs"),
    "--platform": ("platforms stand in the variants", "compare them"),
}


def _is_local(text: str) -> bool:
    return bool(re.match(r"[./]|file:|[\w.-]+/|[^\s@:]+\.whl$", text))


def _is_lockable(folder: Path) -> bool:
    try:
        return is_named(read_toml(folder / "pyproject.toml"))
    except (OSError, ValueError):
        return False
