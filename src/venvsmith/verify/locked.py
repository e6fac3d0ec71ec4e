"""What a lockfile names, whoever wrote it: a requirements file of pins, or a PEP 751 file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from venvsmith.errors import UnsafeInputError, UsageError
from venvsmith.lock.pyproject import ProblemError
from venvsmith.lock.requirements import Line, requirement_lines
from venvsmith.model.expected import LockedPin

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of a lockfile; the largest known has 0.3 MB."""
_NO_MATTER = frozenset(
    {"-c", "--constraint", "-i", "--index-url", "--extra-index-url", "--no-index", "-f"}
    | {"--find-links", "--no-binary", "--only-binary", "--prefer-binary", "--require-hashes"}
    | {"--pre", "--trusted-host", "--use-feature", "--all-releases", "--only-final"}
)
"""Options that say how to install, and not what."""
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=|(?<=-e))(\S.*)")
_SHOWN = 80


def read_locked(path: Path) -> tuple[tuple[LockedPin, ...], tuple[str, ...]]:
    """Read a lockfile.

    :return: what it names, and the lines that name nothing that could be looked for, each with
        its place.
    :raises UsageError: where it, or a file that it includes, is not there.
    :raises UnsafeInputError: where it holds something else than pins.
    """
    if path.suffix == ".toml":
        return _pylock(_text(path), str(path)), ()
    pins: list[LockedPin] = []
    left_out: list[str] = []
    try:
        for line in requirement_lines(path, _text):
            pin = _pin(line)
            if pin is not None:
                pins.append(pin)
            elif re.split(r"[\s=]", line.text)[0] not in _NO_MATTER:
                left_out.append(f"{line.file}:{line.number}: '{line.requirement[:_SHOWN]}'")
    except ProblemError as exc:
        raise UnsafeInputError(str(exc), where=str(path), code="lock-malformed") from exc
    return tuple(pins), tuple(left_out)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            message = f"larger than {SIZE_LIMIT} bytes: this is no lockfile"
            raise UnsafeInputError(message, where=str(path), code="lock-malformed")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise UnsafeInputError("not UTF-8", where=str(path), code="lock-malformed") from exc
    except OSError as exc:
        message = f"the lockfile cannot be read: {exc.strerror}"
        raise UsageError(message, where=str(path), code="no-lock") from exc


def _pin(line: Line) -> LockedPin | None:
    """Return what a line names; None for an option, and where there is only an address."""
    text = line.requirement
    editable = _EDITABLE.fullmatch(text)
    if editable is not None:
        egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", editable[1])
        return LockedPin(name=canonicalize_name(egg[1])) if egg is not None else None
    if text.startswith("-"):
        return None
    address = text.split()[0]
    if re.match(r"[a-z+]+://|[./]", address) or address.endswith(".whl"):
        wheel = _of_wheel(address)
        if wheel is None:
            return None
        text = f"{wheel.name} @ {text}"
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError) as exc:
        raise _unpinned(line, "is not a pin of the form name==version") from exc
    marker = str(requirement.marker or "")
    hashes = tuple(sorted(re.findall(r"--hash[= ](sha256:[0-9a-f]{64})", line.text)))
    if requirement.url is not None:
        wheel = _of_wheel(requirement.url)
        version = wheel.version if wheel is not None else None
    else:
        version = _one_version(requirement)
        if version is None:
            raise _unpinned(line, "does not say one version")
    name = canonicalize_name(requirement.name)
    return LockedPin(name=name, version=version, marker=marker, hashes=hashes)


def _one_version(requirement: Requirement) -> str | None:
    found = [each for each in requirement.specifier if each.operator in {"==", "==="}]
    if len(found) != 1 or len(requirement.specifier) != 1 or found[0].version.endswith(".*"):
        return None
    return found[0].version


def _of_wheel(address: str) -> LockedPin | None:
    """Return what the file name of a wheel says; None where the address is of something else."""
    try:
        name, version, _, _ = parse_wheel_filename(unquote(urlsplit(address).path).split("/")[-1])
    except (InvalidWheelFilename, ValueError):
        return None
    return LockedPin(name=name, version=str(version))


def _unpinned(line: Line, why: str) -> UnsafeInputError:
    message = f"'{line.requirement[:_SHOWN]}' {why}"
    return UnsafeInputError(message, where=f"{line.file}:{line.number}", code="lock-malformed")


def _pylock(text: str, where: str) -> tuple[LockedPin, ...]:
    try:
        content = tomllib.loads(text)
        groups = tuple(str(group) for group in content.get("default-groups", ()))
        return tuple(_package(package, groups) for package in content["packages"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        message = f"this is no pylock.toml: {exc}"
        raise UnsafeInputError(message, where=where, code="lock-malformed") from exc


def _package(package: Mapping[str, Any], groups: tuple[str, ...]) -> LockedPin:
    version = package.get("version")
    return LockedPin(
        name=canonicalize_name(package["name"]),
        version=None if version is None else str(version),
        marker=str(Marker(package["marker"])) if "marker" in package else "",
        groups=groups,
        hashes=tuple(sorted(_wheel_hashes(package))),
    )


def _wheel_hashes(package: Mapping[str, Any]) -> Iterator[str]:
    for wheel in package.get("wheels", ()):
        if "sha256" in wheel.get("hashes", {}):
            yield f"sha256:{wheel['hashes']['sha256']}"
