"""Paths of this machine: whether a folder is a venv, and which target a path may be meant as."""

from __future__ import annotations

import os
from pathlib import Path

from venvsmith.errors import UsageError
from venvsmith.model.dockerfile import VENV_NAMES

SIGNS = ("index.json", "_internal", "etc", "usr")
"""What lies in an OCI layout, in a frozen application's folder, and in a root folder."""
ELF = b"\x7fELF"


def absolute(path: str) -> Path:
    """Return a path as facts name it: absolute, without ``.`` and ``..``, links as they are."""
    return Path(os.path.normpath(Path(path).absolute()))


def looks_like_path(ref: str) -> bool:
    """Tell whether this can be no image's name, but a path."""
    return ref.startswith((".", "/", "~"))


def is_environment(folder: Path) -> bool:
    """Tell whether a folder is a venv, a broken one too, or an installation of Python.

    One that may not be entered is for the rules to judge.
    """
    if not os.access(folder, os.R_OK | os.X_OK) or os.path.lexists(folder / "pyvenv.cfg"):
        return True
    found = (*folder.glob("bin/python*"), *folder.glob("lib*/python3*/site-packages"))
    return any(each.name != "python-config" for each in found)


def no_venv(path: str) -> UsageError:
    """Return the error for a folder that was named as a venv and is none."""
    form = target_at(path)
    return UsageError(
        "there is no pyvenv.cfg and no bin/python in it: this is no venv", where=f"venv:{path}",
        hint=f"did you mean {form}?" if form else "", code="no-such-target",
    )  # fmt: skip


def no_image(path: str) -> UsageError:
    """Return the error for a path that was named as an image is, without the kind of target."""
    if not os.path.lexists(path):
        return UsageError("no such file or folder", where=path, code="no-such-target")
    is_folder = Path(path).is_dir()
    form = target_at(path)
    anything = "venv:DIR, rootfs:DIR, oci:DIR or bundle:DIR"
    if not is_folder:
        anything = "docker-archive:FILE, dockerfile:FILE or bundle:FILE"
    return UsageError(
        f"this is a {'folder' if is_folder else 'file'} here, and no image of the local engine",
        where=path, hint=f"did you mean {form or anything}?", code="no-such-target",
    )  # fmt: skip


def target_at(path: str) -> str | None:
    """Return the target that most likely is meant by a path, None where nothing tells."""
    if Path(path).is_dir():
        return _folder(path.rstrip("/") or path)
    name = Path(path).name.lower()
    kind = None
    if name.startswith(("dockerfile", "containerfile")) or name.endswith(".dockerfile"):
        kind = "dockerfile"
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        kind = "docker-archive"
    elif _begins_with(path, ELF):
        kind = "bundle"
    return f"{kind}:{path}" if kind else None


def _folder(path: str) -> str | None:
    folder = Path(path)
    for name in VENV_NAMES:
        if os.path.lexists(folder / name / "pyvenv.cfg"):
            return f"venv:{path}/{name}"
    there = {name for name in SIGNS if os.path.lexists(folder / name)}
    if "index.json" in there:
        return f"oci:{path}"
    if "_internal" in there:
        return f"bundle:{path}"
    if {"etc", "usr"} <= there:
        return f"rootfs:{path}"
    return f"venv:{path}" if is_environment(folder) else None


def _begins_with(path: str, magic: bytes) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False
