"""Requirements as pip takes them, in files and on command lines, into the sketch.

The grammar is pip's, ``pip.pypa.io/en/stable/reference/requirements-file-format``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from venvsmith.config.formats import REQUIREMENT
from venvsmith.config.kinds import Problems
from venvsmith.errors import UsageError
from venvsmith.init.heavy import backend_of, backend_of_url
from venvsmith.init.sketch import Sketch

SIZE_LIMIT: Final = 4 * 1024 * 1024
DEPTH: Final = 8
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"\s--(?:hash|global-option|config-settings?|install-option)[= ]\S+")
_REVISION = re.compile(r"(\.git)?(@.*)?$")
_MADE_WITH = re.compile(r"^#.*(?:with Python |--python-version[ =])(3\.\d+)", re.MULTILINE)
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+")
_VALUED: Final = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
}
DROPPED: Final = {
    "--require-hashes": "locks always have hashes",
    "--prefer-binary": "wheels are always preferred",
    "--only-binary": "only wheels are installed",
    "--no-cache-dir": "no cache stays in an image",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A logical line of a requirements file."""

    number: int
    text: str


def read_text(path: Path) -> str:
    """Return a source file's text.

    :raises UsageError: where it cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"cannot be read: {exc.strerror}", where=str(path)) from exc
    if len(data) > SIZE_LIMIT:
        raise UsageError("is too large to be what you mean", where=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        hint = "save it as UTF-8"
        raise UsageError(f"byte {exc.start} is not UTF-8", where=str(path), hint=hint) from exc


def lines_of(text: str) -> Iterator[Line]:
    """Yield the logical lines, without comments and empty ones."""
    held: list[str] = []
    start = 1
    for number, raw in enumerate(text.splitlines(), start=1):
        if not held:
            start = number
        if raw.endswith("\\"):
            held.append(raw[:-1])
            continue
        joined = _COMMENT.sub("", " ".join([*held, raw])).strip()
        held = []
        if joined:
            yield Line(number=start, text=joined)
    rest = _COMMENT.sub("", " ".join(held)).strip()
    if rest:
        yield Line(number=start, text=rest)


class Requirements:
    """Takes requirements and pip's options into a sketch.

    :param folder: where relative local paths start; None where it cannot be told.
    """

    def __init__(self, sketch: Sketch, folder: Path | None) -> None:
        self._sketch = sketch
        self._folder = folder
        self._constraints: dict[str, str] = {}

    def file(self, path: Path, shown: str) -> None:
        """Read a requirements file: named in ``requires-file`` where `lock` can read it itself."""
        found: list[str] = []
        plain = self._collect(path, shown, found, depth=0)
        entry = inside(path, self._sketch.root)
        if plain and entry is not None:
            self._sketch.requires_files[entry] = found
        else:
            known = set(self._sketch.requires)
            fresh = [self._constrained(line) for line in found]
            self._sketch.requires += [line for line in fresh if line not in known]
            self._tell_unused_constraints(shown, found)

    def _collect(self, path: Path, shown: str, found: list[str], *, depth: int) -> bool:
        """Add a file's requirements; tell whether it holds nothing that `lock` would refuse."""
        if depth > DEPTH:
            raise UsageError("files include one another without end", where=shown)
        plain = True
        text = read_text(path)
        if (made := _MADE_WITH.search(text)) and not self._sketch.python:
            self._sketch.python, self._sketch.python_why = made[1], f"{shown} was compiled for it"
        for line in lines_of(text):
            origin = f"{shown}:{line.number}"
            if line.text.startswith("-"):
                name, value = split_option(line.text)
                if name == "--requirement":
                    inner = path.parent / value
                    below = str(Path(shown).parent / value)
                    plain = self._collect(inner, below, found, depth=depth + 1) and plain
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
        requirement = Requirement(line)
        extra = self._constraints.get(canonicalize_name(requirement.name))
        if extra is None or requirement.url is not None:
            return line
        requirement.specifier &= Requirement(extra).specifier
        return str(requirement)

    def _tell_unused_constraints(self, shown: str, found: list[str]) -> None:
        names = {canonicalize_name(Requirement(line).name) for line in found}
        rest = [text for name, text in self._constraints.items() if name not in names]
        if rest:
            self._sketch.note(
                "stage",
                shown,
                f"constraints {', '.join(rest[:6])}{' …' if len(rest) > 6 else ''}",  # noqa: PLR2004
                "they limit distributions that only others require",
                "put into requires those that still matter",
            )

    def requirement(self, text: str, origin: str) -> list[str]:
        """Return a requirement as the configuration takes it; nothing where it was noted."""
        note = self._sketch.note
        if "${" in text:
            why = "a variable of the environment stands in it"
            note("stage", origin, text, why, "write it out, and credentials into netrc")
            return []
        if _is_local(text):
            return self._local(text, origin)
        full = _named_url(text)
        if full is None:
            why = "its address does not say which distribution it is"
            note("stage", origin, without_credentials(text), why, 'write "NAME @ ADDRESS"')
            return []
        problems: Problems = []
        REQUIREMENT.read(full, "", problems)
        if problems:
            todo = "write it as PEP 508 has it, into requires"
            note("stage", origin, without_credentials(text), problems[0][1], todo)
            return []
        if _VCS.match(text) and "egg=" not in text:
            why = f"the name {full.partition(' @ ')[0]} is guessed from the address"
            note("stage", origin, text, why, "compare it with the project's own name")
        backend = backend_of(full)
        if backend is not None and backend not in self._sketch.backends:
            self._sketch.backends.append(backend)
        return [full]

    def _local(self, text: str, origin: str) -> list[str]:
        path, _, extras = text.partition("[")
        where = None if self._folder is None else (self._folder / path.removeprefix("file:"))
        entry = None if where is None else inside(where, self._sketch.root)
        if path.endswith(".whl"):
            return self._wheel(text, origin, entry)
        if entry is not None and (self._sketch.root / entry / "pyproject.toml").is_file():
            if extras:
                why = "extras of a project of your own are not installed"
                self._sketch.note("stage", origin, text, why, "put what they name into requires")
            self._sketch.source = entry
            return []
        why = "no folder with a pyproject.toml inside this one"
        self._sketch.note("stage", origin, text, why, "name the project under source")
        return []

    def _wheel(self, text: str, origin: str, entry: str | None) -> list[str]:
        try:
            name, version, _, _ = parse_wheel_filename(Path(text).name)
        except ValueError:
            self._sketch.note("stage", origin, text, "is no wheel's name", "name it in requires")
            return []
        folder = str(Path(entry).parent) if entry else ""
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
        elif name == "--no-binary" and value not in {":all:", ":none:"}:
            sketch.no_wheel += [canonicalize_name(part) for part in value.split(",") if part]
        elif name not in DROPPED:
            why, todo = _OPTIONS.get(name, ("an option that has no counterpart", "see if it locks"))
            sketch.note("stage", origin, f"{name} {value}".strip(), why, todo)
        return []

    def _index(self, name: str, value: str, origin: str) -> None:
        backend = backend_of_url(value)
        if backend is not None:
            if backend not in self._sketch.backends:
                self._sketch.backends.append(backend)
            return
        why = (
            "names go to an index by pattern, so that nothing leaks to another one"
            if name == "--extra-index-url"
            else "the default index is this machine's (UV_DEFAULT_INDEX, PIP_INDEX_URL)"
        )
        todo = f'add [indexes.NAME] with url = "{without_credentials(value)}" and packages = [...]'
        if name == "--index-url":
            todo = f"set it there; for some names only: {todo}"
        self._sketch.note("indexes", origin, f"{name} {without_credentials(value)}", why, todo)

    def _links(self, value: str, origin: str, base: Path | None) -> None:
        if backend_of_url(value) is not None:
            self._index("--find-links", value, origin)
            return
        link = value
        if "://" not in value:
            link = (inside(base / value, self._sketch.root) if base is not None else None) or ""
        if link and "@" not in urlsplit(link).netloc:
            if link not in self._sketch.find_links:
                self._sketch.find_links.append(link)
            return
        why = "not a folder of this project, nor an address without credentials"
        shown = f"--find-links {without_credentials(value)}"
        self._sketch.note("variant", origin, shown, why, "name it under find-links")

    def _constrain(self, value: str, origin: str, base: Path | None) -> None:
        path = None if base is None else base / value
        if path is None or not path.is_file():
            why = "the constraints file is not there"
            self._sketch.note(
                "stage", origin, f"--constraint {value}", why, "name them in requires"
            )
            return
        for line in lines_of(read_text(path)):
            text = _OPTION.sub("", line.text).strip()
            try:
                name = canonicalize_name(Requirement(text).name)
            except InvalidRequirement:
                continue
            self._constraints[name] = text


_OPTIONS: Final = {
    "--pre": ("pre-releases are taken only where a requirement names one", "pin that version"),
    "--trusted-host": ("an index's certificate is always checked", "name its CA to the build"),
    "--no-deps": ("lock resolves the dependencies too", "read its lockfile; pin what must stay"),
    "--no-index": ("the default index is this machine's", "run lock with --offline"),
    "--no-binary": ("only named distributions may be built", "name them under no-wheel"),
    "--no-build-isolation": ("a build from source is isolated", "prefer a wheel"),
    "--target": ("packages go into a venv", "start Python from the venv"),
    "--system-site-packages": ("a venv sees nothing of the system", "name what it needs"),
}


def split_option(text: str) -> tuple[str, str]:
    """Return an option's long name and its value."""
    name, _, value = text.replace("=", " ", 1).partition(" ")
    if name not in _VALUED and name[:2] in _VALUED and not name.startswith("--"):
        name, value = name[:2], name[2:]  # -rrequirements.txt
    return _VALUED.get(name, name), value.strip().strip("'\"")


def without_credentials(text: str) -> str:
    """Return a text whose addresses name no user and no password."""
    return re.sub(r"://[^/\s@]*@", "://", text)


def _is_local(text: str) -> bool:
    return text.startswith((".", "/", "file:")) or bool(re.match(r"[^\s@:]+\.whl$", text))


def _named_url(text: str) -> str | None:
    """Return an address with its distribution's name before it, other texts as they are."""
    if not _VCS.match(text) and not text.startswith(("http://", "https://")):
        return text
    parts = urlsplit(text)
    egg = re.search(r"(?:^|&)egg=([A-Za-z0-9._-]+(?:\[[^\]]*\])?)", parts.fragment)
    rest = [part for part in parts.fragment.split("&") if part and not part.startswith("egg=")]
    url = urlunsplit((*parts[:4], "&".join(rest)))
    if egg:
        return f"{egg[1]} @ {url}"
    last = parts.path.rstrip("/").rpartition("/")[2]
    if last.endswith(".whl"):
        return f"{last.partition('-')[0]} @ {url}"
    if _VCS.match(text):
        return f"{_REVISION.sub('', last) or 'unnamed'} @ {url}"
    return None


def inside(path: Path, root: Path) -> str | None:
    """Return a path relative to the configuration's folder, None where it lies elsewhere."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError):
        return None
