"""The project's own files, as builds read them where there is no BuildKit to hand them over."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.dockerfile.ignore import ignores
from venvsmith.errors import UsageError
from venvsmith.files import DISK_REFUSES, make_folder, refusal

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
    :raises UsageError: code ``unreadable`` where something of the project cannot be read.
    :raises SurroundingsError: where the disk refuses.
    """
    source = root / mount.source
    make_folder(to.parent)

    def careful(file: str, target: str) -> None:
        try:
            copy(file, target)
        except OSError as exc:
            # Of a full disk, too, shutil names the file that was read.
            if exc.errno not in DISK_REFUSES and exc.filename != target:
                raise _unreadable(file, exc.strerror or str(exc)) from exc
            raise refusal(Path(target), exc) from exc

    def left_out(folder: str, names: list[str]) -> list[str]:
        below = Path(folder).relative_to(source)
        return [name for name in names if ignores(mount.exclude, str(below / name))]

    if not source.is_dir():
        careful(str(source), str(to))
        return
    try:
        shutil.copytree(
            source, to, symlinks=True, ignore=left_out, copy_function=careful, dirs_exist_ok=True
        )
    except shutil.Error as exc:  # of folders: what became of each, as text
        file, _, why = exc.args[0][0]
        raise _unreadable(file, why) from exc
    except OSError as exc:
        if exc.filename != str(source):
            raise refusal(to, exc) from exc
        raise _unreadable(str(source), exc.strerror or str(exc)) from exc


def _unreadable(file: str, why: str) -> UsageError:
    return UsageError(
        f"cannot be copied: {why}", where=file, code="unreadable",
        hint="the build reads it: mend its mode, or keep it out of what is copied",
    )  # fmt: skip
