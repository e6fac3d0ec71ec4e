"""PEP 751 files beside the locks: the same pins, with the addresses of their files."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

from packaging.pylock import Pylock, PylockValidationError

from venvsmith.errors import JudgedError
from venvsmith.lock.wheels import FOLDER
from venvsmith.texts import read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey, Project

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of a PEP 751 file: it has an address for each file of each distribution."""


def pylock_path(project: Project, key: LockKey) -> Path:
    """Return where the PEP 751 file of a stage's lock lies."""
    return project.root / project.locks / key.pylock_filename


def pylock_inputs(path: Path) -> str | None:
    """Return the digest of the lock that a PEP 751 file was made beside, or None.

    None also where the file is missing or not one of ours.
    """
    try:
        content = read_toml(path, SIZE_LIMIT)
        inputs = content.get("tool", {}).get("venvsmith", {}).get("inputs")
    except (OSError, ValueError, AttributeError):
        return None
    return inputs if isinstance(inputs, str) else None


def finish_pylock(text: str, lock: Lock) -> str:
    """Turn a resolver's PEP 751 text into ours: its origin named, and held against the lock.

    :param text: what the resolver wrote for the lock's pins.
    :raises JudgedError: where it is not valid, holds other versions than the lock, or a file has
        an address that only this machine has.
    """
    name = lock.key.pylock_filename
    body = re.sub(r"\A(#[^\n]*\n)+", "", text)
    body = re.sub(r'(?m)^created-by = "[^"]*"$', 'created-by = "venvsmith"', body, count=1)
    tool = f"[tool.venvsmith]\nresolver = {json.dumps(lock.resolver)}\n"
    body = f"{body.rstrip()}\n\n{tool}inputs = {json.dumps(lock.inputs)}\n"
    content = tomllib.loads(body)
    try:
        pylock = Pylock.from_dict(content)
    except PylockValidationError as exc:
        message = f"the resolver wrote an invalid PEP 751 file: {exc}"
        raise JudgedError(message, where=name, code="pylock-invalid") from exc
    found = {(package.name, str(package.version)) for package in pylock.packages}
    if found != {(pin.name, pin.version) for pin in lock.pins}:
        message = "the resolver wrote other versions into it than the lock has"
        raise JudgedError(message, where=name, code="pylock-invalid")
    local = _local_file(content)
    if local:
        message = f"'{local}' has no address that another machine could reach"
        hint = "serve it from an index over http, or leave out --format pylock"
        raise JudgedError(message, where=name, hint=hint, code="pylock-local")
    return body


def _local_file(content: dict[str, Any]) -> str:
    """Return the name of the first distribution with a file of this machine; empty where none."""
    for package in content["packages"]:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        for file in files:
            kept = file.get("path", "").startswith(f"{FOLDER}/")
            if not kept and not file.get("url", "").startswith(("https://", "http://")):
                return str(package["name"])
    return ""
