"""Requirements that name where they come from, and the record of the wheels made from them.

A repository, an address or a folder is built to a wheel when a project is locked. The wheel lies
in ``wheels/`` below the locks and is pinned by its hash like any other; ``wheels.json`` beside it
says what each was made from. `venvsmith.resolve.wheels` makes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from venvsmith.lock.folder import source_files
from venvsmith.lock.pyproject import ProblemError, read_own_project
from venvsmith.lock.record import read_record
from venvsmith.network import parts_of, redact_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.model.project import Project

FOLDER = "wheels"
RECORD = "wheels.json"
ARCHIVES = (".whl", ".tar.gz", ".zip")
_PATH_LINE = re.compile(r"(\.{1,2}(?:/[^;\[\s]*)?)\s*(\[[^\]]*\])?\s*(;.*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A wheel that was made from a requirement with an address.

    :param key: the requirement without extras and marker, ``acme @ ./libs/acme``.
    :param name: normalised.
    :param file: the wheel's file name.
    :param sha256: 64 hexadecimal digits.
    :param origin: a commit, or the digest of the files that it was made from.
    :param path: where the wheel lies now.
    """

    key: str
    name: str
    version: str
    file: str
    sha256: str
    origin: str
    path: Path


def direct_requirement(line: str, *, root: Path, python: str) -> Requirement | None:
    """Read a requirement that names where it comes from; None for one that an index answers.

    :param root: where relative paths start.
    :return: with an address in its one spelling: paths relative and in posix form.
    :raises ProblemError: where the address cannot be locked.
    """
    path = _PATH_LINE.fullmatch(line.strip())
    if path is not None:
        own = read_own_project(root / path[1], python=python)
        line = f"{own.name}{path[2] or ''} @ {path[1]} {path[3] or ''}"
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    if requirement.url is None:
        return None
    requirement.url = _spelled(requirement.url, root)
    return requirement


def key_of(requirement: Requirement) -> str:
    """Return how the record names a requirement with an address."""
    return f"{canonicalize_name(requirement.name)} @ {requirement.url}"


def local_path(url: str) -> str | None:
    """Return the relative path that an address in its one spelling stands for, or None."""
    return url if url.startswith((".", "..")) else None


def find_wheels(project: Project) -> dict[str, Built]:
    """Return what was built before, by its requirement; empty where nothing was.

    :raises UnsafeInputError: where the record is malformed.
    """

    def entries(content: Any) -> dict[str, Built]:
        return {key: _entry(project, key, entry) for key, entry in content["wheels"].items()}

    path = project.root / project.locks / RECORD
    return read_record(path, entries, root=project.root, what="built wheels") or {}


def emit_wheels(built: Mapping[str, Built]) -> str:
    """Return the record's text. Equal wheels give equal text."""
    entries = {
        key: {"file": each.file, "sha256": each.sha256, "from": each.origin}
        for key, each in built.items()
    }
    return json.dumps({"wheels": entries}, indent=2, sort_keys=True) + "\n"


def stale_reason(project: Project, built: Built | None, url: str) -> str:
    """Return in words why a wheel has to be made anew; empty where it need not be."""
    if built is None:
        return "it is not built yet"
    path = project.root / project.locks / FOLDER / built.file
    if not path.is_file():
        return f"{FOLDER}/{built.file} is missing"
    if hashlib.sha256(path.read_bytes()).hexdigest() != built.sha256:
        return f"{FOLDER}/{built.file} is not the wheel that was built"
    local = local_path(url)
    if local is not None and source_digest(project, project.root / local) != built.origin:
        return f"{local} has changed since the wheel was built"
    return ""


def stray_wheels(project: Project, built: Mapping[str, Built]) -> tuple[Path, ...]:
    """Return the wheels below the locks that belong to none of the requirements, sorted."""
    wanted = {each.file for each in built.values()}
    folder = project.root / project.locks / FOLDER
    return tuple(path for path in sorted(folder.glob("*.whl")) if path.name not in wanted)


def source_digest(project: Project, path: Path) -> str:
    """Return a digest of a file, or of the names, contents and run bits of a project's files."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
    else:
        for name in source_files(project, path):
            file = path / name
            mode = "x" if os.access(file, os.X_OK) else "-"
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{name}\0{mode}\0{content}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def _entry(project: Project, key: str, entry: Mapping[str, str]) -> Built:
    file, sha256 = entry["file"], entry["sha256"]
    if Path(file).name != file or re.fullmatch("[0-9a-f]{64}", sha256) is None:
        message = f"{key} has no wheel with a sha256"
        raise ValueError(message)
    try:
        name, version, _, _ = parse_wheel_filename(file)
    except InvalidWheelFilename as exc:
        message = f"'{file}' is not the name of a wheel"
        raise ValueError(message) from exc
    path = project.root / project.locks / FOLDER / file
    return Built(
        key=key,
        name=name,
        version=str(version),
        file=file,
        sha256=sha256,
        origin=entry["from"],
        path=path,
    )


def _spelled(url: str, root: Path) -> str:
    parts = parts_of(url)
    if parts is None:
        message = f"'{redact_url(url)}' is no address: its host or its port is malformed"
        raise ProblemError(message)
    if parts.password or (parts.username and "ssh" not in parts.scheme):
        message = (
            f"credentials do not belong into the address of {parts.hostname}: let git's "
            "credential helper, an ssh key or netrc give them"
        )
        raise ProblemError(message)
    if parts.scheme in {"git+https", "git+http", "git+ssh", "git+file"}:
        return url
    if parts.scheme in {"https", "http"}:
        if not parts.path.endswith(ARCHIVES):
            message = f"{url} is neither a wheel nor a source archive ({', '.join(ARCHIVES)})"
            raise ProblemError(message)
        return url
    if parts.scheme not in {"", "file"}:
        message = f"'{parts.scheme}' addresses cannot be locked: take git+https, https or a path"
        raise ProblemError(message)
    path = unquote(parts.path)
    if path.startswith("/"):
        message = f"'{path}' is a path of this machine alone: write it relative to this file"
        raise ProblemError(message)
    found = root / path
    if not found.is_dir() and not (found.is_file() and path.endswith(ARCHIVES)):
        message = f"there is no folder, wheel or source archive '{path}'"
        raise ProblemError(message)
    spelled = os.path.normpath(path)
    return spelled if spelled.startswith("..") else f"./{spelled}"
