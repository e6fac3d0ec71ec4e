"""A frozen application's files: those that lie beside its executable, or those packed into it."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from venvsmith.bundle.archive import MAX_PATH, Archive, Entry, open_archive, text_of
from venvsmith.bundle.library import Library
from venvsmith.bundle.packed import malformed, over
from venvsmith.collect.probe.tree import Handle, Tree, kind_of
from venvsmith.errors import UnsafeInputError, UsageError

MAX_FILES = 500_000
MAX_TEXT = 8 * 1024 * 1024
"""Bytes of a RECORD; that of torch has 1.5 MB."""
MAX_LIBRARY = 8 * 1024 * 1024
"""Bytes of ``base_library.zip``, which has 1.5 MB."""
MAX_DEPTH = 64
"""Folders above a module; what lies deeper is none."""
MAX_LINKS = 40
LIBRARY = "base_library.zip"
LINK = "n"
DEFAULT_FOLDER = "_internal"
MAC_FOLDER = "Frameworks"
_OPTION = "pyi-contents-directory "
_TAG = re.compile(r"(?:cpython-|cp)(\d+)[a-z]*-")


@dataclass(kw_only=True, slots=True)
class Bundle:
    """A frozen application, open for reading.

    :ivar root: the folder that was named, or the file's.
    :ivar folder: where its files lie; None for a single file.
    :ivar tree: all that its links may lead to, and ``below`` where in it the files lie.
    :ivar files: paths below its contents, ``faster_whisper/assets/x.onnx``; links to files in it
        are among them, others are not.
    """

    archive: Archive
    form: Literal["folder", "file"]
    root: Path
    folder: Path | None
    tree: Tree | None = None
    below: str = ""
    files: frozenset[str] = frozenset()
    packed: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def contents(self) -> str:
        """Return the name of the folder of its files, empty where that is the bundle itself."""
        if self.folder is None or self.folder == self.root:
            return ""
        return self.folder.relative_to(self.root).as_posix()

    def open(self, name: str) -> Handle:
        """Open one of `files`, links followed inside the bundle.

        :raises OSError: where no regular file is there.
        :raises UnsafeInputError: where it is packed and malformed.
        """
        if self.tree is not None:
            return self.tree.open(f"{self.below}/{name}")
        if name not in self.packed:
            raise FileNotFoundError(errno.ENOENT, "not in the archive", name)
        return self.archive.open(self.packed[name])

    def text(self, name: str) -> str:
        """Return the beginning of a file as text, empty where it cannot be read."""
        try:
            with self.open(name) as handle:
                return handle.pread(min(handle.size, MAX_TEXT), 0).decode("utf-8", "replace")
        except OSError:
            return ""

    def library(self) -> Library | None:
        """Return ``base_library.zip``, which Python starts from; None where it is not there.

        :raises UnsafeInputError: where that is no zip file, or too large.
        """
        if LIBRARY not in self.files:
            return None
        where = f"{self.archive.path}:{LIBRARY}"
        try:
            with self.open(LIBRARY) as handle:
                if handle.size > MAX_LIBRARY:
                    raise over(f"has more than {MAX_LIBRARY} bytes", where)
                return Library(handle.pread(handle.size, 0), where)
        except OSError as exc:
            raise malformed(f"cannot be read: {exc}", where) from exc


def module_names(paths: Iterable[str], python: str = "") -> Iterator[str]:
    """Yield the modules that files bring: ``a/b.pyc`` is ``a.b``, and ``a`` with it.

    :param python: a minor version: compiled modules whose names say another are left out.
    """
    tag = python.replace(".", "")
    for path in paths:
        folder, _, file = path.rpartition("/")
        if folder.count("/") >= MAX_DEPTH:
            continue
        stem, _, ending = file.partition(".")
        prefix = folder.replace("/", ".")
        if ending not in {"py", "pyc", "pyd", "so"} and not ending.endswith((".so", ".pyd")):
            continue
        made_for = _TAG.match(ending)
        if python and made_for and made_for[1] != tag:
            continue
        if stem != "__init__":
            yield f"{prefix}.{stem}" if prefix else stem
        while prefix:
            yield prefix
            prefix = prefix.rpartition(".")[0]


def read_bundle(path: Path) -> Bundle:
    """Open a frozen application: its folder, its executable, or a macOS ``.app``.

    The caller closes ``archive``.

    :raises UsageError: where there is nothing that may be read, or several applications and none
        is named.
    :raises UnsafeInputError: where it is no PyInstaller bundle, or a malformed one.
    """
    where = f"bundle:{path}"
    place = Path(os.path.normpath(path.absolute()))
    try:
        if not place.exists():
            raise UsageError("there is no such file or folder", where=where, code="no-such-target")
        # The bootloader looks beside the file that a link leads to.
        archive = open_archive(place.resolve()) if place.is_file() else _in_folder(place, where)
        if archive is None:
            raise UnsafeInputError(
                "no PyInstaller archive is in it",
                where=where,
                hint="name the application's executable, or the folder that holds it",
                code="bundle-malformed",
            )
        try:
            return _opened(archive, place if place.is_dir() else archive.path.parent)
        except BaseException:
            archive.__exit__(None, None, None)
            raise
    except OSError as exc:
        what = f"{exc.filename} cannot be read: {exc.strerror}"
        raise UsageError(what, where=where, code="no-such-target") from exc


def _opened(archive: Archive, root: Path) -> Bundle:
    # Windows writes its own separator.
    packed = {e.name.replace("\\", "/"): e for e in archive.entries if e.kind in "bxnZ"}
    if LIBRARY in packed:
        there = dict(_unpacked(packed, archive))
        files = frozenset(there)
        return Bundle(
            archive=archive, form="file", root=root, folder=None, files=files, packed=there
        )
    top, folder = _places(archive)
    tree = Tree((str(top),))
    below = "" if folder == top else f"/{folder.name}"
    return Bundle(
        archive=archive,
        form="folder",
        root=root if root in (folder, *folder.parents) else folder.parent,
        folder=folder,
        tree=tree,
        below=below,
        files=frozenset(_walk(tree, below or "/", folder)),
    )


def _places(archive: Archive) -> tuple[Path, Path]:
    """Return the folder that an application's links may not leave, and that of its files in it."""
    beside = archive.path.parent
    option = next((o for o in archive.options if o.startswith(_OPTION)), "")
    name = option.removeprefix(_OPTION).replace("\\", "/") or DEFAULT_FOLDER
    if "/" in name or name == "..":  # PyInstaller takes one level
        raise UnsafeInputError(
            f"would have its files in {name!r}, not beside it",
            where=str(archive.path),
            code="unsafe-path",
        )
    if beside.name == "MacOS" and (beside.parent / MAC_FOLDER).is_dir():
        # Data lie in Resources beside it, and links lead there file by file or folder by folder.
        return beside.parent, beside.parent / MAC_FOLDER
    for folder in (beside / name, beside):
        if (folder / LIBRARY).is_file():
            return folder, folder
    if (beside / name).is_dir():
        return beside / name, beside / name
    raise UnsafeInputError(
        f"neither the executable nor the folder {name} beside it holds the application's files",
        where=str(archive.path),
        hint=f"copy {name} along with the executable",
        code="bundle-incomplete",
    )


def _in_folder(path: Path, where: str) -> Archive | None:
    """Return the one archive among the executables of a folder."""
    places = [path, path / "Contents" / "MacOS"]
    files = [
        (entry, mode & 0o111 or entry.suffix == ".exe")
        for place in places
        if place.is_dir()
        for entry in sorted(place.iterdir())
        for mode in [entry.lstat().st_mode]
        if stat.S_ISREG(mode)
    ]
    tried = (open_archive(entry) for entry, starts in files if starts)
    found = [archive for archive in tried if archive is not None]
    for entry in () if found else (entry for entry, starts in files if not starts):
        archive = open_archive(entry)
        if archive is not None:
            archive.__exit__(None, None, None)
            raise UnsafeInputError(
                f"{entry.name}, which is the application, may not be executed",
                where=where,
                hint=f"chmod +x {shlex.quote(str(entry))}: some ways of copying lose that bit",
                code="bundle-incomplete",
            )
    if len(found) > 1:
        names = ", ".join(archive.path.name for archive in found)
        for archive in found:
            archive.__exit__(None, None, None)
        raise UsageError(
            f"holds several applications: {names}", where=where, hint="name one of them"
        )
    return found[0] if found else None


def _walk(tree: Tree, top: str, where: Path) -> Iterator[str]:
    """Yield the files below a folder and below those that are linked in it."""
    count = 0
    # Each folder by its place, the name under which it is met, and the places on the way to it.
    pending = [(top, "", frozenset({top}))]
    while pending:
        folder, shown, passed = pending.pop()
        for name, info in tree.raw_scan(folder):
            count += 1
            if count > MAX_FILES:
                raise over(f"more than {MAX_FILES} files", str(where))
            if not _is_text(name):  # no code can name it
                continue
            path = f"{folder.rstrip('/')}/{name}"
            told = f"{shown}/{name}".lstrip("/")
            linked = stat.S_ISLNK(info.mode)
            kind = tree.kind(path) if linked else kind_of(info.mode)
            if kind == "file":
                yield told
            elif kind == "dir":
                place = tree.real(path) if linked else path
                if place not in passed:
                    pending.append((place, told, passed | {place}))


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _unpacked(packed: Mapping[str, Entry], archive: Archive) -> Iterator[tuple[str, Entry]]:
    """Yield what the application unpacks, links at their end; what leads nowhere is left out.

    :raises UnsafeInputError: for a name outside of its folder.
    """
    for name in packed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise UnsafeInputError(
                f"would unpack {name!r} outside of its folder",
                where=str(archive.path),
                code="unsafe-path",
            )
        entry = _at_the_end(packed, archive, name)
        if entry is not None:
            yield str(path), entry


def _at_the_end(packed: Mapping[str, Entry], archive: Archive, name: str) -> Entry | None:
    for _ in range(MAX_LINKS):
        entry = packed.get(name)
        if entry is None or entry.kind != LINK:
            return entry
        # Its content is where it points, from its own folder on.
        target = text_of(archive.read(entry, limit=MAX_PATH)).replace("\\", "/")
        name = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), target))[1:]
    return None
