"""What to hold a target against: a lockfile, a stage of the configuration, a manifest."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from venvsmith.errors import UnsafeInputError, UsageError
from venvsmith.model.expected import Expected
from venvsmith.model.lock import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvsmith.model.facts import Environment, Facts
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import Project

MANIFEST_SCHEMA = "venvsmith/manifest/1"
SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of a lockfile; the largest known has 0.3 MB."""


def from_lock_file(path: Path) -> Expected:
    """Read the pins of a lockfile: ours, any requirements file of ``==`` pins, or a pylock.

    :raises UsageError: where there is no such file.
    :raises UnsafeInputError: where it holds something else than pins.
    """
    try:
        if path.stat().st_size > SIZE_LIMIT:
            message = f"larger than {SIZE_LIMIT} bytes: this is no lockfile"
            raise UnsafeInputError(message, where=str(path), code="lock-malformed")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise UnsafeInputError("not UTF-8", where=str(path), code="lock-malformed") from exc
    except OSError as exc:
        message = f"the lockfile cannot be read: {exc.strerror}"
        raise UsageError(message, where=str(path), code="no-lock") from exc
    is_toml = path.suffix == ".toml"
    pins = _pylock(text, str(path)) if is_toml else dict(_requirements(text, str(path)))
    return Expected(pins=pins, source=str(path))


def hashed_pins(path: Path) -> tuple[Pin, ...]:
    """Return the pins of a lockfile with the hashes that it admits for each.

    :raises UsageError: as `from_lock_file` does.
    :raises UnsafeInputError: as `from_lock_file` does.
    """
    pins = from_lock_file(path).pins or {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    hashes: dict[str, list[str]] = {}
    if path.suffix == ".toml":
        for package in tomllib.loads(text)["packages"]:
            files = (each.get("hashes", {}) for each in package.get("wheels", ()))
            found = [f"sha256:{each['sha256']}" for each in files if "sha256" in each]
            hashes[canonicalize_name(package["name"])] = found
    else:
        for line in text.splitlines():
            name = canonicalize_name(re.split(r"[=\s\[]", line.strip(), maxsplit=1)[0])
            hashes[name] = re.findall(r"--hash=(sha256:[0-9a-f]{64})", line)
    return tuple(
        Pin(name=name, version=version, hashes=tuple(sorted(hashes.get(name, ()))))
        for name, version in sorted(pins.items())
    )


def _requirements(text: str, where: str) -> Iterable[tuple[str, str]]:
    joined = text.replace("\\\n", " ")
    for number, raw in enumerate(joined.splitlines(), start=1):
        line = raw.split(" #")[0].split(" --hash")[0].strip()
        if not line or line.startswith(("#", "-", "--")):
            continue
        yield _pin(line, f"{where}:{number}")


def _pin(line: str, where: str) -> tuple[str, str]:
    try:
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
    except (InvalidRequirement, ValueError) as exc:
        message = f"'{line[:80]}' is not a pin of the form name==version"
        raise UnsafeInputError(message, where=where, code="lock-malformed") from exc
    if specifier.operator not in {"==", "==="}:
        message = f"'{line[:80]}' does not say one version"
        raise UnsafeInputError(message, where=where, code="lock-malformed")
    return canonicalize_name(requirement.name), specifier.version


def _pylock(text: str, where: str) -> dict[str, str]:
    try:
        packages = tomllib.loads(text)["packages"]
        return {canonicalize_name(p["name"]): p["version"] for p in packages if "version" in p}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as exc:
        message = f"this is no pylock.toml: {exc}"
        raise UnsafeInputError(message, where=where, code="lock-malformed") from exc


def from_stage(
    project: Project,
    stage: str,
    lock: Lock,
    *,
    path: str | None = None,
    trees: Mapping[str, str] | None = None,
) -> Expected:
    """Return what a stage of the configuration promises: its pins, imports and commands.

    :param path: where its environment lies; the project's venv where None.
    :param trees: what earlier builds recorded of its layers.
    """
    ancestry = project.ancestry(stage)
    return Expected(
        name=stage,
        path=path or project.venv,
        pins={pin.name: pin.version for pin in lock.pins},
        imports=tuple(dict.fromkeys(name for s in ancestry for name in s.imports)),
        commands=tuple(dict.fromkeys(argv for s in ancestry for argv in s.commands)),
        variant=lock.key.variant,
        trees=trees or {},
        source=f"{project.locks}/{lock.key.filename}",
    )


def from_manifest(env: Environment) -> Expected | None:
    """Return what the environment's own manifest promises; None where it has none that reads."""
    if env.manifest is None:
        return None
    try:
        data: Any = json.loads(env.manifest)
        if data["schema"] != MANIFEST_SCHEMA:
            return None
        return Expected(
            name=str(data["stage"]),
            path=env.path,
            pins={canonicalize_name(str(k)): str(v) for k, v in data["pins"].items()},
            imports=tuple(str(name) for name in data["imports"]),
            commands=tuple(tuple(str(word) for word in argv) for argv in data["commands"]),
            variant=str(data.get("variant", "")),
            source=f"{env.path}/.venvsmith/manifest.json",
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def united(first: Expected, second: Expected) -> Expected:
    """Return both together; the first one's pins, name and source win."""
    return replace(
        first,
        name=first.name or second.name,
        path=first.path or second.path,
        pins=first.pins if first.pins is not None else second.pins,
        imports=tuple(dict.fromkeys((*first.imports, *second.imports))),
        commands=tuple(dict.fromkeys((*first.commands, *second.commands))),
        variant=first.variant or second.variant,
        trees={**second.trees, **first.trees},
        source=first.source if first.pins is not None else second.source,
    )


def assign(facts: Facts, expectations: Iterable[Expected]) -> Mapping[str, Expected]:
    """Return what is expected of each environment: what was said, and its manifest otherwise.

    An expectation without a path is meant for the environment in use, the first one.
    """
    assigned: dict[str, Expected] = {}
    for expected in expectations:
        path = _place(facts, expected)
        if path is not None:
            have = assigned.get(path)
            assigned[path] = united(have, expected) if have else expected
    for env in facts.environments:
        own = from_manifest(env)
        if own is not None:
            said = assigned.get(env.path)
            assigned[env.path] = united(said, own) if said else own
    return assigned


def _place(facts: Facts, expected: Expected) -> str | None:
    paths = [env.path for env in facts.environments]
    if expected.path in paths:
        return expected.path
    return paths[0] if paths else None
