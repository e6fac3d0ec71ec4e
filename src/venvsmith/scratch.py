"""Folders that only one run needs, and what becomes of those whose run was killed.

Each one is locked by the process that made it. The kernel ends a lock with its process, so one
that can be had belongs to nobody any more: the next run of venvsmith removes its folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.folders import Hold, hold

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory; each folder in it is private
PREFIX = "venvsmith-run-"
_NAME = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")


@contextlib.contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder that only this user can read, and remove it with all that is in it.

    :param parent: where to make it; the folder for temporary files where None.
    :raises OSError: where the disk refuses.
    """
    folder, held = _make(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            held.release()


def memory() -> Path | None:
    """Return the parent for what should not reach a disk; None where there is no memory for it."""
    return MEMORY if os.access(MEMORY, os.W_OK) else None


def sweep(*parents: Path) -> int:
    """Remove the folders of killed runs; return how many there were.

    Only this user's own are looked at, and no link is followed. What cannot be removed stays.

    :param parents: where to look; in memory and in the folder for temporary files where none.
    """
    found = 0
    for parent in parents or (MEMORY, Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError), os.scandir(parent) as entries:
            for name in [e.name for e in entries if _NAME.fullmatch(e.name)]:
                found += _remove_abandoned(parent / name)
    return found


def _make(parent: Path | None) -> tuple[Path, Hold | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        held = None
        # Between its making and its lock a sweep may take it for an abandoned one.
        try:
            held = hold(folder)
        except BlockingIOError:
            continue
        except OSError:  # a file system without locks: nobody can sweep there
            pass
        if folder.exists():
            return folder, held
        if held is not None:
            held.release()


def _remove_abandoned(folder: Path) -> bool:
    try:
        held = hold(folder)
    except OSError:
        return False
    try:
        if not held.mine:
            return False
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        held.release()
    return not folder.exists()
