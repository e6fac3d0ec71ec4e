"""A folder held by one process at a time, and a folder whose entries are on the disk.

A hold ends with its process, however that ends. On Unix it is a lock on the folder itself and
leaves nothing behind; Windows opens no folders, so there it is on a file of the folder's name among
the temporary ones.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A folder that this process holds.

    :ivar release: gives it back.
    :ivar mine: whether the folder belongs to this user.
    """

    release: Callable[[], None]
    mine: bool


if sys.platform == "win32":
    import hashlib
    import tempfile

    from filelock import FileLock, Timeout

    def hold(folder: Path) -> Hold:
        """Hold a folder.

        :raises BlockingIOError: where another process does.
        """
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        lock = FileLock(Path(tempfile.gettempdir()) / f"venvsmith-{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as exc:
            raise BlockingIOError(str(exc)) from exc
        return Hold(release=lock.release, mine=True)

    def flush(folder: Path) -> None:
        """Do nothing: Windows keeps a folder's entries by itself."""

else:
    import fcntl

    def hold(folder: Path) -> Hold:
        """Hold a folder.

        :raises BlockingIOError: where another process does.
        :raises OSError: where it is no folder (a link is none) or cannot be opened or locked.
        """
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(handle).st_uid == os.geteuid()
        except BaseException:
            os.close(handle)
            raise
        return Hold(release=partial(os.close, handle), mine=mine)

    def flush(folder: Path) -> None:
        """Write a folder's entries to the disk; one that is gone has none.

        :raises OSError: where the disk refuses.
        """
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
