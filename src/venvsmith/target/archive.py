"""Images in files: OCI layouts and ``docker save`` archives. Read, never run, never unpacked."""

from __future__ import annotations

import sys
from pathlib import Path

from venvsmith.errors import UsageError
from venvsmith.model.facts import Target
from venvsmith.target.host import FolderTarget
from venvsmith.target.protocol import Placement


def open_archive(kind: str, ref: str) -> FolderTarget:
    """Open ``oci:DIR[:tag]`` or ``docker-archive:FILE[:name:tag]``.

    What is inside is judged later, by the probe, in a process of its own.

    :raises UsageError: where there is no such folder or file.
    """
    path, tag = split(ref)
    if not (path / "index.json" if kind == "oci" else path).is_file():
        what = "no OCI layout there (it has an index.json)" if kind == "oci" else "no such file"
        raise UsageError(what, where=f"{kind}:{ref}", code="no-such-target")
    placement = Placement(
        inside=False,
        can_run=False,
        why_not="an image in a file is read, not run",
        archive={"kind": kind, "path": str(path.absolute()), "tag": tag},
    )
    return FolderTarget(Target(kind=kind, ref=ref), placement, (sys.executable,))


def split(ref: str) -> tuple[Path, str | None]:
    """Return path and tag: the longest beginning of the reference that is there is the path."""
    parts = ref.split(":")
    for count in range(len(parts), 0, -1):
        path = Path(":".join(parts[:count]))
        if path.exists():
            return path, ":".join(parts[count:]) or None
    return Path(parts[0]), None
