"""What the local engine left: a root folder that runs on this machine, at its final paths."""

from __future__ import annotations

from pathlib import Path

import msgspec

from venvsmith.errors import UnsafeInputError
from venvsmith.model.facts import ImageConfig, Target
from venvsmith.model.plan import LOCAL_SCHEMA
from venvsmith.sandbox import Bind, Sandbox, find_sandbox
from venvsmith.target.host import FolderTarget
from venvsmith.target.protocol import Placement

MANIFEST_LIMIT = 16 * 1024 * 1024


class _Host(msgspec.Struct):
    python: str


class _Start(msgspec.Struct):
    user: str = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()


class LocalManifest(msgspec.Struct):
    """What the local engine wrote beside a root folder.

    ``host`` is the interpreter that stands in for the base image's; ``final_path`` says whether
    ``venvs`` are paths in the image or, where no sandbox was to be had, on this machine.
    """

    schema: str
    host: _Host
    final_path: bool
    venvs: tuple[str, ...]
    seen_at: tuple[str, ...]
    config: _Start


def open_local(folder: Path, *, ref: str) -> FolderTarget | None:
    """Open a root folder of the local engine, or return None where another made it.

    Where no sandbox works any more, the files are read but nothing is run.

    :raises UnsafeInputError: where its manifest is malformed.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    start = manifest.config
    config = ImageConfig(
        user=start.user,
        env=start.env,
        workdir=start.workdir,
        entrypoint=start.entrypoint,
        cmd=start.cmd,
    )
    target = Target(kind="rootfs", ref=ref, config=config)
    sandbox = find_sandbox() if manifest.final_path else None
    if manifest.final_path and sandbox is None:
        placement = Placement(
            roots=(str(folder), "/"),
            inside=False,
            can_run=False,
            venvs=manifest.venvs,
            why_not="no sandbox works here (bubblewrap, or unshare as root)",
        )
        return FolderTarget(target, placement, (manifest.host.python,))
    env = {"HOME": "/tmp", "LANG": "C.UTF-8", **start.env}  # noqa: S108 - inside
    placement = Placement(venvs=manifest.venvs, env=env, cwd=_workdir(manifest, folder))
    pythons = (*(f"{venv}/bin/python" for venv in manifest.venvs), manifest.host.python)
    if sandbox is None:
        return FolderTarget(target, placement, pythons)
    return SandboxedTarget(target, placement, pythons, sandbox, _binds(manifest, folder))


class SandboxedTarget(FolderTarget):
    """A folder that the probe meets from inside, with its parts bound at their final paths."""

    def __init__(
        self,
        target: Target,
        placement: Placement,
        pythons: tuple[str, ...],
        sandbox: Sandbox,
        binds: tuple[Bind, ...],
    ) -> None:
        super().__init__(target, placement, pythons)
        self._sandbox = sandbox
        self._binds = binds

    def argv(self, python: str) -> tuple[str, ...]:
        """Return how an interpreter is started inside."""
        return self._sandbox.wrap(
            super().argv(python),
            binds=self._binds,
            network=False,
            cwd=self.placement.cwd or "/",
            env=self.placement.env,
        )


def read_manifest(folder: Path) -> LocalManifest | None:
    """Return the local engine's manifest of a root folder, or None where another made it."""
    file = folder.parent / "manifest.json"
    if not file.is_file():
        return None
    if file.stat().st_size > MANIFEST_LIMIT:
        raise UnsafeInputError("larger than any manifest", where=str(file))
    data = file.read_bytes()
    try:
        schema = msgspec.json.decode(data).get("schema", "")
        return msgspec.json.decode(data, type=LocalManifest) if schema == LOCAL_SCHEMA else None
    except (msgspec.DecodeError, AttributeError, RecursionError) as exc:
        raise UnsafeInputError(f"not a manifest: {exc}", where=str(file)) from exc


def _binds(manifest: LocalManifest, folder: Path) -> tuple[Bind, ...]:
    return tuple(
        Bind(source=folder / path.lstrip("/"), target=path, writable=True)
        for path in manifest.seen_at
        if (folder / path.lstrip("/")).exists()
    )


def _workdir(manifest: LocalManifest, folder: Path) -> str:
    """Return the image's working folder, where the root folder or this machine has it."""
    workdir = manifest.config.workdir
    copied = folder / workdir.lstrip("/")
    if copied.is_dir():
        return workdir if manifest.final_path else str(copied)
    return workdir if Path(workdir).is_dir() else "/"
