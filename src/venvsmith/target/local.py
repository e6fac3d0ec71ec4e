"""What the local engine left: a root folder that runs on this machine, at its final paths.

The manifest beside a root folder says which paths to bind and how the image starts. So it counts
only where this user's own build wrote it, for the project that is worked on; and even there it
names no program, and no path outside the folder.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from venvsmith.errors import UnsafeInputError
from venvsmith.model.facts import ImageConfig, Target
from venvsmith.model.plan import LOCAL_BUILDS, LOCAL_SCHEMA
from venvsmith.sandbox import Bind, Sandbox, find_sandbox
from venvsmith.target.host import FolderTarget
from venvsmith.target.protocol import Placement

MANIFEST_LIMIT = 16 * 1024 * 1024


class _Host(msgspec.Struct):
    version: str


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


def open_local(folder: Path, *, ref: str, project: Path | None) -> FolderTarget | None:
    """Open a root folder of the local engine, or return None where another made it.

    It is run where the project's own local engine left it. Anywhere else, and where no sandbox
    works any more, its files are read.

    :param project: the folder of the project that is worked on, None where there is none.
    :raises UnsafeInputError: where its manifest is malformed or leads out of the folder.
    """
    manifest = _manifest(folder)
    if manifest is None:
        return None
    binds = _binds(manifest, folder)
    start = manifest.config
    config = ImageConfig(
        user=start.user,
        env=start.env,
        workdir=start.workdir,
        entrypoint=start.entrypoint,
        cmd=start.cmd,
    )
    sandbox = find_sandbox() if manifest.final_path else None
    why_not = _why_not(folder, project)
    if manifest.final_path and sandbox is None:
        why_not = why_not or "no sandbox works here (bubblewrap, or unshare)"
    if why_not:
        placement = Placement(
            roots=(str(folder), "/") if manifest.final_path else ("/",),
            inside=False,
            can_run=False,
            venvs=manifest.venvs,
            why_not=why_not,
        )
        # Here this user's interpreter stands in, be the image's own user allowed to it or not.
        target = Target(kind="rootfs", ref=ref, config=replace(config, user=""))
        return FolderTarget(target, placement, (sys.executable,))
    target = Target(kind="rootfs", ref=ref, config=config)
    env = {"HOME": "/tmp", "LANG": "C.UTF-8", **start.env}  # noqa: S108 - inside
    placement = Placement(venvs=manifest.venvs, env=env, cwd=_workdir(manifest, folder))
    pythons = (*(f"{venv}/bin/python" for venv in manifest.venvs), _python(manifest))
    if sandbox is None:
        return FolderTarget(target, placement, pythons)
    return SandboxedTarget(target, placement, pythons, sandbox, binds)


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


def _manifest(folder: Path) -> LocalManifest | None:
    file = folder.parent / "manifest.json"
    if not file.is_file():
        return None
    if file.stat().st_size > MANIFEST_LIMIT:
        raise UnsafeInputError("larger than any manifest", where=str(file))
    data = file.read_bytes()
    try:
        content = msgspec.json.decode(data)
        if not isinstance(content, dict) or content.get("schema") != LOCAL_SCHEMA:
            return None  # some other tool's
        return msgspec.json.decode(data, type=LocalManifest)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise UnsafeInputError(f"not a manifest: {exc}", where=str(file)) from exc


def _why_not(folder: Path, project: Path | None) -> str:
    """Return why nothing of a root folder is run, nothing where it is this user's own build."""
    here = folder.resolve().parent
    if project is None or here.parent != (project / LOCAL_BUILDS).resolve():
        return (
            "a root folder is read, and run only where the local engine of the project here"
            " left it; --config names another project"
        )
    if not all(map(_is_mine, (here, here / "manifest.json", folder))):
        return "another user owns this root folder: it is read, not run"
    return ""


def _is_mine(path: Path) -> bool:
    return not hasattr(os, "geteuid") or path.lstat().st_uid == os.geteuid()


def _binds(manifest: LocalManifest, folder: Path) -> tuple[Bind, ...]:
    """Return what is to be seen where; nothing, where the paths are this machine's already.

    :raises UnsafeInputError: where a path leads out of the folder.
    """
    root = folder.resolve()
    if not manifest.final_path:
        for venv in manifest.venvs:
            if not _plain(venv) or not Path(venv).resolve().is_relative_to(root):
                raise UnsafeInputError(
                    f"it was built to stay at another place: {venv}", where=str(folder),
                    hint="build it again",
                )  # fmt: skip
        return ()
    binds = []
    for path in dict.fromkeys((*manifest.venvs, *manifest.seen_at)):
        source = folder / path.lstrip("/")
        if not _plain(path) or not source.resolve().is_relative_to(root):
            message = f"its manifest leads out of the folder: {path}"
            raise UnsafeInputError(message, where=str(folder))
        if source.exists():
            binds.append(Bind(source=source, target=path, writable=True))
    return tuple(binds)


def _plain(path: str) -> bool:
    """Tell whether this is an absolute path, of something below the root, without detours."""
    return path[:1] == "/" and path[1:2] not in {"", "/"} and os.path.normpath(path) == path


def _python(manifest: LocalManifest) -> str:
    """Return this machine's interpreter of the minor that stood in for the base's."""
    minor = ".".join(manifest.host.version.split(".")[:2])
    found = shutil.which(f"python{minor}") if minor.replace(".", "").isdecimal() else None
    return found or sys.executable


def _workdir(manifest: LocalManifest, folder: Path) -> str:
    """Return the image's working folder, where the root folder or this machine has it."""
    workdir = manifest.config.workdir
    copied = folder / workdir.lstrip("/")
    if copied.is_dir():
        return workdir if manifest.final_path else str(copied)
    return workdir if Path(workdir).is_dir() else "/"
