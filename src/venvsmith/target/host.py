"""Targets that are folders of this machine: a venv, or a root filesystem."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from venvsmith import process
from venvsmith.errors import UnsafeInputError, UsageError
from venvsmith.model.facts import ImageConfig, Target
from venvsmith.target.protocol import ANSWER_LIMIT, Placement, ProbeRun

MANIFEST_LIMIT = 16 * 1024 * 1024
SLACK = 20.0
"""Seconds beyond the probe's own deadline until it is stopped from here."""


class _Host(msgspec.Struct):
    python: str


class _Start(msgspec.Struct):
    user: str = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = msgspec.field(default_factory=list)
    cmd: list[str] = msgspec.field(default_factory=list)


class LocalManifest(msgspec.Struct):
    """What the local engine leaves beside a root folder: the host's interpreter that it stands on."""

    schema: str
    host: _Host
    venvs: list[str] = msgspec.field(default_factory=list)
    config: _Start = msgspec.field(default_factory=_Start)


class FolderTarget:
    """A folder that the probe reads with this process's own Python, or the venv's."""

    def __init__(self, target: Target, placement: Placement, pythons: tuple[str, ...]) -> None:
        self.facts_target = target
        self.placement = placement
        self._pythons = pythons

    def run_probe(
        self,
        script: Callable[[Mapping[str, Any]], bytes],
        *,
        venvs: tuple[str, ...],
        timeout: float,
    ) -> ProbeRun:
        """Run the probe on this machine; see `OpenTarget.run_probe`."""
        del venvs
        text = script({})
        tried: list[tuple[str, str]] = []
        for python in self._pythons:
            done = process.run(
                process.Command(
                    argv=(python, "-I", "-S", "-B", "-"),
                    timeout=timeout + SLACK,
                    stdin=text,
                    output_limit=ANSWER_LIMIT,
                )
            )
            run = ProbeRun(
                stdout=done.stdout,
                stderr=done.error_text[-4000:],
                python=python,
                returncode=None if done.timed_out else done.returncode,
                truncated=done.truncated,
                tried=tuple(tried),
            )
            if run.stdout or run.returncode is None or python == self._pythons[-1]:
                return run
            tried.append(
                (python, run.stderr.strip().rpartition("\n")[2] or f"rc {done.returncode}")
            )
        raise AssertionError(self._pythons)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        """Enter the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the target."""
        self.close()


def open_venv(path: str) -> FolderTarget:
    """Open a venv of this machine. Its programs run here, as this user, writing no bytecode.

    :raises UsageError: where there is no such folder.
    """
    folder = Path(os.path.abspath(path))
    if not folder.is_dir():
        raise UsageError("no such folder", where=f"venv:{path}")
    placement = Placement(
        venvs=(str(folder),),
        env={"PYTHONDONTWRITEBYTECODE": "1", "VIRTUAL_ENV": str(folder)},
        activate=True,
    )
    return FolderTarget(
        Target(kind="venv", ref=path), placement, (str(folder / "bin" / "python"), sys.executable)
    )


def open_rootfs(path: str) -> FolderTarget:
    """Open a root filesystem of this machine: read, not run.

    Where the local engine built it, its manifest names the host's interpreter on which the tree
    stands: what the tree lacks is then looked up in this machine's own root.

    :raises UsageError: where there is no such folder.
    :raises UnsafeInputError: where its manifest cannot be read.
    """
    folder = Path(os.path.abspath(path))
    if not folder.is_dir():
        raise UsageError("no such folder", where=f"rootfs:{path}")
    manifest = read_manifest(folder)
    config = None
    if manifest is not None:
        config = ImageConfig(
            user=manifest.config.user,
            env=manifest.config.env,
            workdir=manifest.config.workdir,
            entrypoint=tuple(manifest.config.entrypoint),
            cmd=tuple(manifest.config.cmd),
        )
    placement = Placement(
        roots=(str(folder), "/") if manifest else (str(folder),),
        inside=False,
        can_run=False,
        venvs=tuple(manifest.venvs) if manifest else (),
        why_not="a root folder is read, not run",
    )
    return FolderTarget(
        Target(kind="rootfs", ref=path, config=config), placement, (sys.executable,)
    )


def read_manifest(folder: Path) -> LocalManifest | None:
    """Return the local engine's manifest of a root folder, or None where another made it."""
    for file in (folder.parent / "manifest.json", folder / "manifest.json"):
        if not file.is_file():
            continue
        if file.stat().st_size > MANIFEST_LIMIT:
            raise UnsafeInputError("larger than any manifest", where=str(file))
        data = file.read_bytes()
        try:
            schema = msgspec.json.decode(data).get("schema", "")
            if not str(schema).startswith("venvsmith/local/"):
                continue
            return msgspec.json.decode(data, type=LocalManifest)
        except (msgspec.DecodeError, AttributeError, RecursionError) as exc:
            raise UnsafeInputError(f"not a manifest: {exc}", where=str(file)) from exc
    return None
