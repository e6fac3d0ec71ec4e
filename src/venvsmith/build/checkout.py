"""The project's own files, as builds read them where there is no BuildKit to hand them over."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.dockerfile.ignore import ignores

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvsmith.model.plan import Mount


def bring(
    mount: Mount, *, root: Path, to: Path, copy: Callable[[str, str], object] = shutil.copy2
) -> None:
    """Copy a file or folder of the project, without what the mount excludes.

    :param root: the project's folder.
    :param to: what the copy is called; a folder may be there, and keeps what it has.
    :param copy: copies one file.
    :raises OSError: where something cannot be read or written.
    """
    source = root / mount.source
    to.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_dir():
        copy(str(source), str(to))
        return

    def left_out(folder: str, names: list[str]) -> list[str]:
        below = Path(folder).relative_to(source)
        return [name for name in names if ignores(mount.exclude, str(below / name))]

    shutil.copytree(
        source, to, symlinks=True, ignore=left_out, copy_function=copy, dirs_exist_ok=True
    )
