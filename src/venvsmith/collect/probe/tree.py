"""A file tree, read without ever leaving it.

Links resolve inside the tree, absolute ones too. Special files are never opened. The same code
reads "/" inside a container, a folder from outside, and (`layers.LayerTree`) the layers of an image
that was saved.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

Fact = Dict[str, Any]
MAX_LINKS = 40
TEXT_LIMIT = 1024 * 1024


class Stat(NamedTuple):
    """The part of a file's status that anyone here asks for."""

    mode: int
    uid: int
    gid: int
    size: int
    mtime: int


class User(NamedTuple):
    """Whose permissions count."""

    uid: int
    gid: int
    groups: Tuple[int, ...]

    def may(self, info: Stat, bits: int) -> bool:
        """Return whether the user has these bits (4 read, 2 write, 1 pass) on a file."""
        if self.uid == 0:
            return True
        if info.uid == self.uid:
            return (info.mode >> 6) & bits == bits
        if info.gid == self.gid or info.gid in self.groups:
            return (info.mode >> 3) & bits == bits
        return info.mode & bits == bits


class Handle:
    """An open regular file that is read by position."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size = size

    def pread(self, count: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset."""
        return os.pread(self._fd, count, offset)

    def digest_into(self, digest: Any, buffer: bytearray) -> None:
        """Feed the whole file to a hash through a buffer."""
        view = memoryview(buffer)
        while True:
            count = os.readv(self._fd, [buffer])
            if count <= 0:
                return
            digest.update(view[:count])

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Chain(NamedTuple):
    """What came of following a path: every link on the way, and its end."""

    steps: List[Fact]
    end: Optional[str]
    kind: str


def join(parent: str, name: str) -> str:
    """Join a link-free folder and a path that may be absolute or start with ``..``."""
    if name.startswith("/"):
        return name
    parts = [part for part in parent.split("/") if part]
    rest = name.split("/")
    while rest and rest[0] in ("..", ".", ""):
        if rest.pop(0) == ".." and parts:
            parts.pop()
    return "/" + "/".join(parts + rest)


def kind_of(mode: int) -> str:
    """Return the model's `PathKind` of a file mode."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"


class Tree:
    """A tree below one folder, or below several of which the first that has a path wins."""

    def __init__(self, roots: Tuple[str, ...] = ("/",), user: Optional[User] = None) -> None:
        self._roots = tuple(root.rstrip("/") for root in roots)
        self.user = user or User(0, 0, ())
        self._real: Dict[str, str] = {"/": "/"}

    # What a tree of another make replaces. Paths here are free of links but for the last part.

    def raw_lstat(self, path: str) -> Stat:
        """Return the status of a path, not following it; OSError where there is nothing."""
        for root in self._roots[:-1]:
            try:
                return _status(os.lstat(root + path))
            except (FileNotFoundError, NotADirectoryError):
                continue
        return _status(os.lstat((self._roots[-1] + path) or "/"))

    def raw_readlink(self, path: str) -> str:
        """Return where a link points, as written in it."""
        for root in self._roots[:-1]:
            if os.path.islink(root + path):
                return os.readlink(root + path)
        return os.readlink(self._roots[-1] + path)

    def raw_scan(self, path: str) -> List[Tuple[str, Stat]]:
        """Return the names in a folder with their status, sorted."""
        found: Dict[str, Stat] = {}
        failed: Optional[OSError] = None
        for root in self._roots:
            try:
                with os.scandir((root + path) or "/") as entries:
                    for entry in entries:
                        if entry.name not in found:
                            found[entry.name] = _status(entry.stat(follow_symlinks=False))
            except OSError as exc:
                failed = exc
        if failed is not None and not found:
            raise failed
        return sorted(found.items())

    def raw_open(self, path: str) -> Handle:
        """Open a regular file; OSError for anything else."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        for root in self._roots[:-1]:
            try:
                fd = os.open(root + path, flags)
                break
            except (FileNotFoundError, NotADirectoryError):
                continue
        else:
            fd = os.open(self._roots[-1] + path, flags)
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return Handle(fd, info.st_size)

    # Built on those.

    def real(self, path: str) -> str:
        """Return the link-free path of what lies at a path; OSError where nothing can."""
        known = self._real.get(path)
        if known is None:
            known = self._walk(path, [])
            self._real[path] = known
        return known

    def place(self, path: str) -> str:
        """Return a path with the links of its folder resolved, its last part untouched."""
        parent, name = os.path.split(path)
        if name in ("", ".", ".."):
            return self.real(path)
        return self.real(parent).rstrip("/") + "/" + name

    def _walk(self, path: str, passed: List[str]) -> str:
        pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        here = "/"
        hops = 0
        while pending:
            name = pending.pop()
            if name == "..":
                here = os.path.dirname(here)
                continue
            passed.append(here)
            candidate = here.rstrip("/") + "/" + name
            info = self.raw_lstat(candidate)
            if stat.S_ISLNK(info.mode):
                hops += 1
                if hops > MAX_LINKS:
                    raise OSError(errno.ELOOP, "too many links", path)
                link = self.raw_readlink(candidate)
                here = "/" if link.startswith("/") else here
                pending.extend(part for part in reversed(link.split("/")) if part not in ("", "."))
            elif pending and not stat.S_ISDIR(info.mode):
                raise NotADirectoryError(errno.ENOTDIR, "not a folder", candidate)
            else:
                here = candidate
        return here

    def blocked_at(self, path: str) -> Optional[str]:
        """Return the first folder on the way to a path that the user may not pass."""
        passed: List[str] = []
        denied = False
        try:
            passed.append(self._walk(os.path.dirname(path), passed))
        except PermissionError:
            denied = True
        except OSError:
            pass
        for folder in dict.fromkeys(passed):
            try:
                if not self.user.may(self.raw_lstat(folder), 1):
                    return folder
            except OSError:
                return os.path.dirname(folder)
        return passed[-1] if denied and passed else None

    def chain(self, path: str) -> Chain:
        """Follow a path link by link; see `model.facts.PathStep`."""
        steps: List[Fact] = []
        while True:
            step: Fact = {"path": path, "kind": "missing", "blocked_at": self.blocked_at(path)}
            steps.append(step)
            try:
                place = self.place(path)
                info = self.raw_lstat(place)
            except OSError as exc:
                step["kind"] = "loop" if exc.errno == errno.ELOOP else "missing"
                return Chain(steps, None, step["kind"])
            step.update(
                kind=kind_of(info.mode), mode=stat.S_IMODE(info.mode), uid=info.uid, gid=info.gid
            )
            if step["kind"] != "link":
                return Chain(steps, place, step["kind"])
            link = self.raw_readlink(place)
            if len(steps) > MAX_LINKS:
                step["kind"] = "loop"
                return Chain(steps, None, "loop")
            path = join(os.path.dirname(place), link)

    def lstat(self, path: str) -> Optional[Stat]:
        """Return the status of a path itself, or None."""
        try:
            return self.raw_lstat(self.place(path))
        except OSError:
            return None

    def kind(self, path: str) -> str:
        """Return the `PathKind` of what lies at a path after all links."""
        try:
            place = self.place(path)
            found = kind_of(self.raw_lstat(place).mode)
            return found if found != "link" else kind_of(self.raw_lstat(self._walk(place, [])).mode)
        except OSError as exc:
            return "loop" if exc.errno == errno.ELOOP else "missing"

    def is_file(self, path: str) -> bool:
        """Return whether a regular file lies there, links followed."""
        return self.kind(path) == "file"

    def is_dir(self, path: str) -> bool:
        """Return whether a folder lies there, links followed."""
        return self.kind(path) == "dir"

    def names(self, path: str) -> List[str]:
        """Return the sorted names in a folder; empty where it cannot be listed."""
        try:
            return [name for name, _ in self.raw_scan(self.real(path))]
        except OSError:
            return []

    def open(self, path: str) -> Handle:
        """Open a regular file, links followed; OSError where that fails."""
        place = self.place(path)
        try:
            return self.raw_open(place)
        except OSError as exc:
            if exc.errno != errno.ELOOP:
                raise
        return self.raw_open(self._walk(place, []))

    def read(self, path: str, limit: int = TEXT_LIMIT) -> Optional[bytes]:
        """Return the first bytes of a file, or None where it cannot be read."""
        try:
            with self.open(path) as handle:
                return handle.pread(min(limit, handle.size), 0)
        except OSError:
            return None

    def text(self, path: str, limit: int = TEXT_LIMIT) -> Optional[str]:
        """Return the beginning of a file as text, or None; undecodable bytes are escaped."""
        data = self.read(path, limit)
        return None if data is None else data.decode("utf-8", "backslashreplace")

    def walk(self, top: str, failed: List[str]) -> Iterator[Tuple[str, List[Tuple[str, Stat]]]]:
        """Yield each folder below a link-free one with what it holds; links are not followed.

        :param failed: receives the folders that cannot be listed.
        """
        pending = [top]
        while pending:
            folder = pending.pop()
            try:
                entries = self.raw_scan(folder)
            except OSError:
                failed.append(folder)
                continue
            yield folder, entries
            pending.extend(
                folder.rstrip("/") + "/" + name
                for name, info in reversed(entries)
                if stat.S_ISDIR(info.mode)
            )


def _status(info: os.stat_result) -> Stat:
    return Stat(info.st_mode, info.st_uid, info.st_gid, info.st_size, int(info.st_mtime))
