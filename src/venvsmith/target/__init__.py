"""Targets: what `verify` looks at, opened so that the probe can read it and maybe run in it."""

from __future__ import annotations

import os
from pathlib import Path

from venvsmith.errors import UsageError
from venvsmith.target.paths import absolute, looks_like_path, no_image
from venvsmith.target.protocol import OpenTarget, Placement, ProbeRun

__all__ = ["KINDS", "OpenTarget", "Placement", "ProbeRun", "kind_of", "open_target", "venv_of"]

KINDS = (
    "docker",
    "oci",
    "docker-archive",
    "rootfs",
    "venv",
    "bundle",
    "dockerfile",
    "registry",
)


def kind_of(ref: str) -> tuple[str, str]:
    """Return a target's kind and what stands behind its prefix.

    A prefix of `KINDS` wins; a path to a folder with ``pyvenv.cfg`` is a venv; everything else is
    an image of the local engine.
    """
    prefix, separator, rest = ref.partition(":")
    if separator and prefix in KINDS:
        return prefix, rest
    if os.path.lexists(Path(ref) / "pyvenv.cfg"):
        return "venv", ref
    return "docker", ref


def venv_of(ref: str) -> str | None:
    """Return the path by which facts name the venv that a target is; None for other kinds."""
    kind, rest = kind_of(ref)
    return str(absolute(rest)) if kind == "venv" else None


def open_target(ref: str, *, project: Path | None = None) -> OpenTarget:
    """Open a target by its reference, to look into it.

    A Dockerfile and a bundle are not opened: see `dockerfile.dockerfile_facts` and
    `venvsmith.bundle.gather`.

    :param project: the folder of the project that is worked on: of root folders, which are read,
        those that its local engine left are run.
    :raises UsageError: where it does not exist.
    :raises UnsafeInputError: where it cannot be read safely.
    :raises SurroundingsError: where the engine that holds it cannot be reached.
    """
    # Each kind brings imports of its own, which the other kinds have no use for.
    kind, rest = kind_of(ref)
    if kind == "venv":
        from venvsmith.target.host import open_venv  # noqa: PLC0415

        return open_venv(rest)
    if kind == "rootfs":
        from venvsmith.target.host import open_rootfs  # noqa: PLC0415

        return open_rootfs(rest, project=project)
    if kind in ("oci", "docker-archive"):
        from venvsmith.target.archive import open_archive  # noqa: PLC0415

        return open_archive(kind, rest)
    if kind == "registry":
        from venvsmith.target.registry import open_registry  # noqa: PLC0415

        return open_registry(rest)
    from venvsmith.target.image import open_image  # noqa: PLC0415

    is_bare = rest == ref
    if is_bare and looks_like_path(ref):
        raise no_image(ref)
    try:
        return open_image(rest)
    except UsageError as exc:
        if is_bare and os.path.lexists(ref):
            raise no_image(ref) from exc
        raise
