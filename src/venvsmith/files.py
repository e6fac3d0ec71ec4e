"""Writes files whole or not at all, several as one, and lets two runs wait for each other.

A write goes to a temporary file beside its target, is flushed to the disk and renamed. Several
files become one change through a journal, which first lists the temporary files and then says that
the change is decided. Whoever comes next (`locked`, `recover`, `write_files`) finishes a decided
change of a killed process, and sweeps up an undecided one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from venvsmith.errors import SurroundingsError, UnsafeInputError
from venvsmith.folders import Hold, flush, hold
from venvsmith.patience import LOCK, patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

JOURNAL = ".venvsmith-journal"
TEMP_PREFIX = ".venvsmith-tmp-"
DRAFT = f"{TEMP_PREFIX}journal"
DEFAULT_TIMEOUT = 300.0
"""Seconds that a run waits for another one: longer than any resolution with a warm cache."""
POLL_SECONDS = 0.05
DISK_REFUSES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that speak of a disk, and of nothing that venvsmith did wrong."""
_FULL = re.compile("no space left on device|disk quota exceeded", re.IGNORECASE)

# Folders whose lock this process holds: a write below one of them does not lock again.
_held: set[Path] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """One file of a change: what goes where, and what was there."""

    target: Path
    new: bytes | None
    old: bytes | None
    temp: Path | None


_Step = tuple[Path | None, Path]
"""A temporary file, or None to delete, and where it goes."""


def write_files(changes: Mapping[Path, bytes | None]) -> frozenset[Path]:
    """Write and delete files, all or none of them.

    Missing folders are made. A file whose content is right already is not touched. A target that
    is a link is written through; new files take the umask, existing ones keep their mode.

    :param changes: target to its whole content, or None to delete it.
    :return: the keys of ``changes`` whose file really changed.
    :raises SurroundingsError: where the disk refuses (full, read-only, no permission); every old
        content is then in place.
    """
    if not changes:
        return frozenset()
    home = _home([path.resolve() for path in changes])
    with contextlib.ExitStack() as stack:
        if not any(folder in _held for folder in (home, *home.parents)):
            make_folder(home)
            stack.enter_context(locked(home))
        pending = {
            path: _change(number, path, new) for number, (path, new) in enumerate(changes.items())
        }
        todo = {path: change for path, change in pending.items() if change.new != change.old}
        if todo:
            _apply(home, list(todo.values()))
    return frozenset(todo)


def write_output(path: Path, content: bytes) -> None:
    """Write a file that the user named: whole or not at all, where it is a plain file.

    A pipe, a terminal or a device such as ``/dev/null`` is written into.

    :raises SurroundingsError: where the disk or the pipe refuses.
    """
    if not path.exists() or path.is_file():
        write_files({path: content})
        return
    with _failing_at(path):
        path.write_bytes(content)


@contextlib.contextmanager
def locked(folder: Path, timeout: float | None = None) -> Iterator[None]:
    """Hold a folder against other runs of venvsmith, and finish what a killed one began.

    The lock is on the folder itself, leaves no file behind, and ends with the process.

    :param timeout: seconds to wait for the other run; ``VENVSMITH_LOCK_TIMEOUT`` or 300 where None.
    :raises SurroundingsError: code ``lock-timeout`` where the other run does not end in time.
    """
    folder = folder.resolve()
    if folder in _held:
        yield
        return
    held = _wait_for(folder, patience(LOCK, DEFAULT_TIMEOUT) if timeout is None else timeout)
    try:
        _held.add(folder)
        recover(folder)
        if (folder / DRAFT).exists():  # on a read-only file system even a vain unlink fails
            with _failing_at(folder):
                (folder / DRAFT).unlink()
        yield
    finally:
        _held.discard(folder)
        held.release()


def recover(folder: Path) -> None:
    """Finish the change of several files that a killed process had decided on, if there is one.

    Safe to call at any time, also while that process still lives: every step can be repeated.

    :raises UnsafeInputError: where the journal is not one of ours.
    """
    folder = folder.resolve()
    journal = folder / JOURNAL
    try:
        text = journal.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except OSError as exc:
        _refuse(journal, exc)
    decided, steps = _parse_journal(text, folder)
    if not decided and folder not in _held:
        return  # a live writer may be at it; nothing has changed yet
    with _failing_at(journal):
        if decided:
            _finish(steps)
        _sweep(steps)
        journal.unlink(missing_ok=True)


def _apply(home: Path, todo: Sequence[_Change]) -> None:
    """Write the temporary files, decide, rename; undo where that fails."""
    steps = [(change.temp, change.target) for change in todo]
    try:
        _write_journal(home, steps, decided=False)
        for change in todo:
            _stage(change)
        if len(todo) > 1:
            _write_journal(home, steps, decided=True)
        _commit(todo)
    except OSError as exc:
        _end(home, steps)
        _refuse(Path(exc.filename) if isinstance(exc.filename, str) else home, exc)
    except SurroundingsError:
        _end(home, steps)
        raise
    _end(home, steps)


def _commit(todo: Sequence[_Change]) -> None:
    steps = [(change.temp, change.target) for change in todo]
    try:
        _finish(steps)
    except OSError:
        _restore(todo)
        raise
    except BaseException:
        # Interrupted: the change is decided, so it is finished; a second interrupt leaves that
        # to the next run.
        _finish(steps)
        raise


def _end(home: Path, steps: Sequence[_Step]) -> None:
    with contextlib.suppress(OSError):
        _sweep([*steps, (home / DRAFT, home)])
        (home / JOURNAL).unlink(missing_ok=True)


def _sweep(steps: Sequence[_Step]) -> None:
    for temp, _ in steps:
        if temp is not None:
            temp.unlink(missing_ok=True)


def _change(number: int, path: Path, new: bytes | None) -> _Change:
    target = path.resolve()
    with _failing_at(target):
        try:
            old: bytes | None = target.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            old = None
    temp = None if new is None else target.parent / f"{TEMP_PREFIX}{number}"
    return _Change(target=target, new=new, old=old, temp=temp)


def _stage(change: _Change) -> None:
    """Write the new content beside its target, flushed to the disk."""
    if change.new is None or change.temp is None:
        return
    make_folder(change.target.parent)
    _write_flushed(change.temp, change.new)
    if change.old is not None:
        change.temp.chmod(stat.S_IMODE(change.target.stat().st_mode))


def _write_flushed(path: Path, data: bytes) -> None:
    # O_EXCL after the unlink: never through a link that someone else put there.
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    finally:
        os.close(handle)


def _write_journal(home: Path, steps: Sequence[_Step], *, decided: bool) -> None:
    content = {
        "decided": decided,
        "steps": [
            {
                "target": target.relative_to(home).as_posix(),
                "temp": None if temp is None else temp.relative_to(home).as_posix(),
            }
            for temp, target in steps
        ],
    }
    draft = home / DRAFT
    _write_flushed(draft, json.dumps(content).encode())
    draft.replace(home / JOURNAL)
    flush(home)


def _parse_journal(text: str, folder: Path) -> tuple[bool, list[_Step]]:
    """Read the steps, refusing what leads out of the folder or renames what is not ours."""
    steps: list[_Step] = []
    try:
        content = json.loads(text)
        decided = content["decided"] is True
        for step in content["steps"]:
            target = folder / step["target"]
            temp = None if step["temp"] is None else folder / step["temp"]
            if not target.resolve().is_relative_to(folder) or ".." in target.parts:
                raise ValueError(target)  # noqa: TRY301 - one message for all that is unsound
            if temp is not None and (
                temp.parent != target.parent or not temp.name.startswith(TEMP_PREFIX)
            ):
                raise ValueError(temp)  # noqa: TRY301
            steps.append((temp, target))
    except (ValueError, KeyError, TypeError) as exc:
        message = "the journal of an interrupted write is damaged"
        raise UnsafeInputError(
            message, where=str(folder / JOURNAL), hint="look at it, then delete it"
        ) from exc
    return decided, steps


def _finish(steps: Sequence[_Step]) -> None:
    """Carry out the renames and deletions; those done already are passed over."""
    for temp, target in steps:
        if temp is None:
            target.unlink(missing_ok=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                temp.replace(target)
    for folder in {target.parent for _, target in steps}:
        flush(folder)


def _restore(todo: Sequence[_Change]) -> None:
    """Put back the old contents, as far as the disk lets us."""
    for change in todo:
        with contextlib.suppress(OSError):
            if change.old is None:
                change.target.unlink(missing_ok=True)
            elif not change.target.exists() or change.target.read_bytes() != change.old:
                temp = change.temp or change.target.parent / f"{TEMP_PREFIX}old"
                _write_flushed(temp, change.old)
                temp.replace(change.target)


def _home(targets: Sequence[Path]) -> Path:
    """Return where the journal lies: the folder that is held, or else the nearest common one."""
    common = Path(os.path.commonpath([target.parent for target in targets]))
    return next((folder for folder in (common, *common.parents) if folder in _held), common)


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it.

    :raises SurroundingsError: where the disk refuses.
    """
    with _failing_at(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _wait_for(folder: Path, timeout: float) -> Hold:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return hold(folder)
        except BlockingIOError as exc:
            if time.monotonic() >= deadline:
                raise SurroundingsError(
                    f"{_holder(folder)} has held this folder for {timeout:g} s",
                    where=str(folder),
                    hint="wait for it or end it, then run again",
                    code="lock-timeout",
                ) from exc
            time.sleep(POLL_SECONDS)
        except OSError as exc:
            _refuse(folder, exc)


def _holder(folder: Path) -> str:
    """Name the process that holds a folder, as far as the kernel tells (`man 5 proc`, locks)."""
    inode = str(folder.stat().st_ino)
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                argv = Path("/proc", words[4], "cmdline").read_bytes().split(b"\0")
                command = b" ".join(argv).decode("utf-8", "replace").strip()[:120]
                return f"another run of venvsmith (process {words[4]}: {command})"
    return "another run of venvsmith"


@contextlib.contextmanager
def _failing_at(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        _refuse(Path(exc.filename) if isinstance(exc.filename, str) else path, exc)


def refusal(path: Path, exc: OSError) -> SurroundingsError:
    """Return what the user reads where the disk refuses: which path, why, what to do."""
    code, hint = {
        errno.ENOSPC: ("disk", "free some space and run again"),
        errno.EDQUOT: ("disk", "free some space and run again"),
        errno.EROFS: ("read-only", "the file system is read-only; write elsewhere"),
        errno.EACCES: ("read-only", "look at the owner and mode of the folder"),
        errno.EPERM: ("read-only", "look at the owner and mode of the folder"),
    }.get(exc.errno or 0, ("write-failed", "nothing was changed"))
    message = f"cannot write: {(exc.strerror or str(exc)).lower()}"
    return SurroundingsError(message, where=str(path), hint=hint, code=code)


def full_disk(
    words: str, *, where: str = "", hint: str = "free some space and run again"
) -> SurroundingsError | None:
    """Return the error for a program that met a full disk; None where its words tell of none.

    :param words: what it printed, secrets redacted.
    """
    said = next((line.strip() for line in words.splitlines() if _FULL.search(line)), None)
    if said is None:
        return None
    message = f"the disk is full: {said[-300:]}"
    return SurroundingsError(message, where=where, hint=hint, code="disk")


def _refuse(path: Path, exc: OSError) -> NoReturn:
    raise refusal(path, exc) from exc
