"""The root folder that the local engine leaves: taking its place, and filling it as an image is."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.files import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def place(folder: Path, *, in_place: bool) -> Iterator[Path]:
    """Yield an empty folder, and put it in the place of another one once all is well.

    :param in_place: empty the folder itself: what is built there knows its path.
    :raises SurroundingsError: where the disk refuses.
    """
    fresh = folder if in_place else folder.with_name(f".{folder.name}.new")
    former = folder.with_name(f".{folder.name}.old")
    try:
        if former.exists() and not folder.exists():
            former.rename(folder)  # a killed build was just about to
        for stale in (fresh, former):
            remove(stale)
        fresh.mkdir(parents=True)
        yield fresh
        if fresh != folder:
            if folder.exists():
                folder.rename(former)
            fresh.rename(folder)
            remove(former)
    except BaseException as exc:
        if fresh != folder:
            shutil.rmtree(fresh, ignore_errors=True)
        if isinstance(exc, OSError):
            raise refusal(Path(str(exc.filename or fresh)), exc) from exc
        raise


def merge(tree: Path, onto: Path) -> None:
    """Move a layer's files into the root; folders are shared, files are a later layer's."""
    for folder, folders, files in os.walk(tree):
        target = onto / Path(folder).relative_to(tree)
        target.mkdir(parents=True, exist_ok=True)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in [*files, *links]:
            (Path(folder) / name).replace(target / name)
        folders[:] = [name for name in folders if name not in links]


def settle_folders(root: Path, *, time: int) -> None:
    """Give folders the mode and time of an image: umask and moving files in have changed them."""
    for folder, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(FileNotFoundError):
            Path(folder).chmod(0o755)
            os.utime(folder, (time, time))


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, where there is one."""
    if folder.exists():
        shutil.rmtree(folder)
