"""The programs that locking and building start, with their versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from venvsmith.preflight.report import Row, Status

if TYPE_CHECKING:
    from venvsmith.preflight.situation import Situation

VERSION_SECONDS = 3.0
BUILDX_LEAST = Version("0.8")
"""Bake files whose targets build on each other (`contexts`, ``target:``):
https://github.com/docker/buildx/releases/tag/v0.8.0"""
SINGLE_DASH = frozenset({"ffmpeg", "ffprobe", "ffplay", "java"})
"""Programs that know ``-version`` and not ``--version``."""
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def check_programs(at: Situation) -> list[Row]:
    """Look for each program that this project needs."""
    rows = [_docker(at), *_buildx(at), _uv(at), *_git(at)]
    if at.project is not None:
        rows += [_named(at, name) for name in at.project.preflight.binaries]
    return rows


def number_of(text: str) -> Version | None:
    """Return the first version number in a text: ``github.com/docker/buildx 0.13.1+ds1 …``."""
    found = _NUMBER.search(text)
    try:
        return Version(found[0]) if found else None
    except InvalidVersion:
        return None


def _row(
    subject: str, status: Status, message: str, mend: str = "", *, check: str = "program"
) -> Row:
    return Row(
        group="programs", check=check, subject=subject, status=status, message=message, mend=mend
    )


def _docker(at: Situation) -> Row:
    path = at.machine.which("docker")
    if path is None:
        return _row(
            "docker", "missing", "not on PATH",
            "install Docker (https://docs.docker.com/engine/install), or build with --engine local",
        )  # fmt: skip
    return _row("docker", "ok", " ".join(filter(None, [at.engine.client, f"({path})"])))


def _buildx(at: Situation) -> list[Row]:
    if at.machine.which("docker") is None:
        return []
    told = at.machine.run("docker", "buildx", "version", seconds=VERSION_SECONDS)
    mend = "install the docker-buildx plugin: https://docs.docker.com/build/install-buildx"
    if told.timed_out:
        return [_row("buildx", "unknown", f"no answer in {VERSION_SECONDS:g} s")]
    if not told.ok:
        return [_row("buildx", "missing", "docker has no buildx, so no bake", mend)]
    found = number_of(told.stdout)
    if found is not None and found < BUILDX_LEAST:
        message = f"{found} cannot build images on images: {BUILDX_LEAST} or later does"
        return [_row("buildx", "wrong", message, mend)]
    return [_row("buildx", "ok", str(found or told.stdout.strip()))]


def _uv(at: Situation) -> Row:
    """Look for uv, which every lock starts: for sizes too, and for what pip cannot say."""
    mend = "it comes with venvsmith: install that again"
    path = at.machine.which("uv")
    if path is None:
        return _row("uv", "missing", "not here", mend)
    told = at.machine.run("uv", "--version", seconds=VERSION_SECONDS)
    found = number_of(told.stdout)
    if not told.ok or found is None:
        return _row("uv", "wrong", f"{path} does not start: {told.words}", mend)
    return _row("uv", "ok", str(found))


def _git(at: Situation) -> list[Row]:
    """Look for git where a requirement names a repository."""
    if at.project is None:
        return []
    from venvsmith.errors import VenvsmithError  # noqa: PLC0415
    from venvsmith.lock.inputs import direct_requirements  # noqa: PLC0415

    try:
        named = direct_requirements(at.project)
    except VenvsmithError:  # requirements files that cannot be read: the row of the locks tells it
        return []
    users = [name for name, line in named.items() if (line.url or "").startswith("git+")]
    if not users:
        return []
    path = at.machine.which("git")
    if path is None:
        message = f"not on PATH, and {users[0]} comes from a repository"
        return [_row("git", "missing", message, "install git, to lock it")]
    told = at.machine.run("git", "--version", seconds=VERSION_SECONDS)
    return [_row("git", "ok", str(number_of(told.stdout) or path))]


def _named(at: Situation, name: str) -> Row:
    """Look for a program of ``[preflight] binaries``."""
    path = at.machine.which(name)
    if path is None:
        return _row(
            name, "missing", "not on PATH",
            "install it, or take it out of [preflight] binaries", check="binary",
        )  # fmt: skip
    words = ("-version",) if name in SINGLE_DASH else ("--version",)
    told = at.machine.run(name, *words, seconds=VERSION_SECONDS)
    found = number_of(told.stdout or told.stderr) if told.ok else None
    return _row(name, "ok", f"{found} ({path})" if found else path, check="binary")
