"""A file tree made of tar layers, the last on top, without unpacking any."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, Dict, List, NamedTuple, Set, Tuple

from . import tar
from .tar import Entry, RefusedError, Source
from .tree import Handle, Stat, Tree

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
ROOT = Stat(stat.S_IFDIR | 0o755, 0, 0, 0, 0)


class Node(NamedTuple):
    """What lies at a path, and where its content is."""

    stat: Stat
    link: str = ""
    source: Any = None
    offset: int = 0


class Slice(Handle):
    """A member's content, read by position."""

    def __init__(self, source: Source, offset: int, size: int) -> None:
        super().__init__(-1, size)
        self._source = source
        self._offset = offset

    def pread(self, count: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset."""
        count = max(0, min(count, self.size - offset))
        return self._source.pread(count, self._offset + offset)

    def digest_into(self, digest: Any, buffer: bytearray) -> None:
        """Feed the whole content to a hash."""
        offset = 0
        while offset < self.size:
            data = self.pread(len(buffer), offset)
            if not data:
                raise OSError(errno.EIO, "short read")
            digest.update(data)
            offset += len(data)

    def close(self) -> None:
        """Nothing is held: the tar stays open."""


class LayerTree(Tree):
    """A tree over layers: whiteouts remove, later members replace, nothing is written."""

    def __init__(self) -> None:
        super().__init__()
        self._nodes: Dict[str, Node] = {"/": Node(ROOT)}
        self._names: Dict[str, Dict[str, None]] = {"/": {}}
        self.problems: List[str] = []

    def add_layer(self, source: Source, where: str) -> None:
        """Put a layer on top.

        :raises RefusedError: where its tar is malformed, ambiguous or over a limit.
        """
        members: List[Entry] = []
        for entry in tar.entries(source, where):
            folder, name = tar.parts_of(entry.path)
            if not name.startswith(WHITEOUT):
                members.append(entry)
            elif name == OPAQUE:
                self._empty(self._place_of(folder))
            elif name == WHITEOUT or name == WHITEOUT + "." or name == WHITEOUT + "..":
                raise RefusedError("malformed", f"{where}: a whiteout of nothing in {folder}")
            else:
                self._remove(self._child(self._place_of(folder), name[len(WHITEOUT) :]))
        seen: Set[str] = set()
        for entry in members:
            if entry.path in seen and not stat.S_ISDIR(entry.mode) and len(self.problems) < 20:
                self.problems.append(f"{where}: {entry.path} is there twice; the last one counts")
            seen.add(entry.path)
            self._add(entry, source, where)
        self._real = {"/": "/"}

    def _place_of(self, folder: str) -> str:
        """Return the link-free path of a member's folder, in which links of lower layers count."""
        node = self._nodes.get(folder)
        if node is not None and stat.S_ISDIR(node.stat.mode):
            return folder
        try:
            return self._walk(folder, [])
        except OSError:
            return folder

    def _child(self, folder: str, name: str) -> str:
        return folder.rstrip("/") + "/" + name

    def _add(self, entry: Entry, source: Source, where: str) -> None:
        if entry.path == "/":
            return
        folder, name = tar.parts_of(entry.path)
        parent = self._make_folder(self._place_of(folder))
        path = self._child(parent, name)
        node = Node(
            Stat(entry.mode, entry.uid, entry.gid, entry.size, entry.mtime), entry.link, source,
            entry.offset,
        )  # fmt: skip
        if not stat.S_IFMT(entry.mode):
            target = self._nodes.get(tar.clean(entry.link, where))
            if target is None or stat.S_ISDIR(target.stat.mode):
                raise RefusedError("malformed", f"{where}: {entry.path} is a hard link to nothing")
            node = target
        old = self._nodes.get(path)
        if old is not None and not (stat.S_ISDIR(old.stat.mode) and stat.S_ISDIR(node.stat.mode)):
            self._remove(path)
        self._nodes[path] = node
        self._names[parent][name] = None
        if stat.S_ISDIR(node.stat.mode):
            self._names.setdefault(path, {})

    def _make_folder(self, folder: str) -> str:
        """Make sure that a folder is there: layers may leave parents out."""
        if folder not in self._names:
            parent, name = tar.parts_of(folder)
            self._make_folder(parent)
            if folder in self._nodes:
                self._remove(folder)
            self._nodes[folder] = Node(ROOT)
            self._names[folder] = {}
            self._names[parent][name] = None
        return folder

    def _empty(self, folder: str) -> None:
        for name in list(self._names.get(folder, ())):
            self._remove(self._child(folder, name))

    def _remove(self, path: str) -> None:
        pending = [path]
        while pending:
            gone = pending.pop()
            pending += [self._child(gone, name) for name in self._names.pop(gone, ())]
            self._nodes.pop(gone, None)
        folder, name = tar.parts_of(path)
        self._names.get(folder, {}).pop(name, None)

    def raw_lstat(self, path: str) -> Stat:
        """Return the status of a path, not following it; OSError where there is nothing."""
        return self._node(path).stat

    def raw_readlink(self, path: str) -> str:
        """Return where a link points, as written in it."""
        return self._node(path).link

    def raw_scan(self, path: str) -> List[Tuple[str, Stat]]:
        """Return the names in a folder with their status, sorted."""
        if path not in self._names:
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
        names = sorted(self._names[path])
        return [(name, self._nodes[self._child(path, name)].stat) for name in names]

    def raw_open(self, path: str) -> Handle:
        """Open a regular file; OSError for anything else."""
        node = self._node(path)
        if stat.S_ISLNK(node.stat.mode):
            raise OSError(errno.ELOOP, "a link", path)
        if not stat.S_ISREG(node.stat.mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return Slice(node.source, node.offset, node.stat.size)

    def _node(self, path: str) -> Node:
        try:
            return self._nodes[path if path == "/" else path.rstrip("/")]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
