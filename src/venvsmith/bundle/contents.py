"""A frozen application's files: those that lie beside its executable, or those packed into it."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from venvsmith.bundle.archive import Archive, Entry, open_archive
from venvsmith.collect.probe.tree import Handle, Tree
from venvsmith.errors import UnsafeInputError, UsageError

MAX_FILES = 500_000
MAX_FILE = 8 * 1024**3
"""Bytes of one file that is unpacked in memory: CUDA's largest library has 1 GB."""
MAX_TEXT = 16 * 1024 * 1024
MAX_LIBRARY = 64 * 1024 * 1024
MAX_LINKS = 40
LIBRARY = "base_library.zip"
LINK = "n"
DEFAULT_FOLDER = "_internal"
_OPTION = "pyi-contents-directory "
_TAG = re.compile(r"(?:cpython-|cp)(\d+)[a-z]*-")


@dataclass(kw_only=True, slots=True)
class Bundle:
    """A frozen application, open for reading.

    :ivar root: the folder that was named, or the file's.
    :ivar folder: where its files lie; None for a single file.
    :ivar files: paths below its contents, ``faster_whisper/assets/x.onnx``; links among them.
    """

    archive: Archive
    form: Literal["folder", "file"]
    root: Path
    folder: Path | None
    tree: Tree | None = None
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
            return self.tree.open(f"/{name}")
        entry = self.packed[name]
        for _ in range(MAX_LINKS):
            if entry.kind != LINK:
                break
            # Its content is where it points, relative to the contents' top.
            target = self.archive.read(entry).rstrip(b"\0").decode("utf-8", "replace")
            entry = self.packed[target.replace("\\", "/")]
        return Unpacked(self.archive.read(entry, limit=MAX_FILE))

    def text(self, name: str) -> str:
        """Return the beginning of a file as text, empty where it cannot be read."""
        try:
            with self.open(name) as handle:
                return handle.pread(min(handle.size, MAX_TEXT), 0).decode("utf-8", "replace")
        except (OSError, KeyError):
            return ""

    def has(self, name: str) -> bool:
        """Tell whether a file is there, at the end of all links."""
        return name in self.files and (self.tree is None or self.tree.is_file(f"/{name}"))

    def library_modules(self) -> frozenset[str]:
        """Return the modules in ``base_library.zip``, which Python starts from.

        :raises UnsafeInputError: where that is no zip file.
        """
        if LIBRARY not in self.files:
            return frozenset()
        try:
            with self.open(LIBRARY) as handle:
                data = handle.pread(min(handle.size, MAX_LIBRARY), 0)
            with zipfile.ZipFile(io.BytesIO(data)) as library:
                return frozenset(module_names(library.namelist()))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise UnsafeInputError(
                f"{LIBRARY} cannot be read: {exc}",
                where=str(self.archive.path),
                hint="freeze the application again, or copy its files again",
                code="bundle-malformed",
            ) from exc


class Unpacked(Handle):
    """A packed file in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, count: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset."""
        return self._data[offset : offset + count]

    def close(self) -> None:
        """Nothing is held."""


def module_names(paths: Iterable[str], python: str = "") -> Iterator[str]:
    """Yield the modules that files bring: ``a/b.pyc`` is ``a.b``, and ``a`` with it.

    :param python: a minor version: compiled modules whose names say another are left out.
    """
    tag = python.replace(".", "")
    for path in paths:
        folder, _, file = path.rpartition("/")
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

    :raises UsageError: where there is nothing, or several applications and none is named.
    :raises UnsafeInputError: where it is no PyInstaller bundle, or a malformed one.
    """
    where = f"bundle:{path}"
    if not path.exists():
        raise UsageError("there is no such file or folder", where=where, code="no-target")
    archive = open_archive(path) if path.is_file() else _in_folder(path, where)
    if archive is None:
        raise UnsafeInputError(
            "no PyInstaller archive is in it",
            where=where,
            hint="name the application's executable, or the folder that holds it",
            code="bundle-malformed",
        )
    try:
        return _opened(archive, path)
    except BaseException:
        archive.__exit__(None, None, None)
        raise


def _opened(archive: Archive, path: Path) -> Bundle:
    # Windows writes its own separator.
    packed = {e.name.replace("\\", "/"): e for e in archive.entries if e.kind in "bxnZ"}
    root = path if path.is_dir() else archive.path.parent
    option = next((o for o in archive.options if o.startswith(_OPTION)), "")
    name = option.removeprefix(_OPTION) or DEFAULT_FOLDER
    beside = archive.path.parent
    candidates = (beside / name, beside.parent / "Frameworks", beside)
    if LIBRARY in packed:
        return Bundle(
            archive=archive,
            form="file",
            root=root,
            folder=None,
            files=frozenset(_safe(packed, archive)),
            packed=packed,
        )
    folder = next((f for f in candidates if (f / LIBRARY).is_file()), None)
    if folder is None:
        folder = beside / name if (beside / name).is_dir() else None
    if folder is None:
        raise UnsafeInputError(
            f"neither the executable nor the folder {name} beside it holds the application's files",
            where=str(archive.path),
            hint=f"copy {name} along with the executable",
            code="bundle-incomplete",
        )
    inside = folder == root or root in folder.parents
    tree = Tree((str(folder),))
    return Bundle(
        archive=archive,
        form="folder",
        root=root if inside else folder.parent,
        folder=folder,
        tree=tree,
        files=frozenset(_walk(tree, folder)),
    )


def _in_folder(path: Path, where: str) -> Archive | None:
    """Return the one archive among the executables of a folder."""
    places = [path, path / "Contents" / "MacOS"]
    found: list[Archive] = []
    for place in places:
        if not place.is_dir():
            continue
        for entry in sorted(place.iterdir()):
            mode = entry.lstat().st_mode
            if stat.S_ISREG(mode) and (mode & 0o111 or entry.suffix == ".exe"):
                archive = open_archive(entry)
                if archive is not None:
                    found.append(archive)
    if len(found) > 1:
        names = ", ".join(archive.path.name for archive in found)
        for archive in found:
            archive.__exit__(None, None, None)
        raise UsageError(
            f"holds several applications: {names}", where=where, hint="name one of them"
        )
    return found[0] if found else None


def _walk(tree: Tree, where: Path) -> Iterator[str]:
    count = 0
    for folder, entries in tree.walk("/", []):
        for name, info in entries:
            count += 1
            if count > MAX_FILES:
                raise UnsafeInputError(
                    f"more than {MAX_FILES} files", where=str(where), code="limit-exceeded"
                )
            if not stat.S_ISDIR(info.mode):
                yield f"{folder}/{name}".lstrip("/")


def _safe(packed: Mapping[str, Entry], archive: Archive) -> Iterator[str]:
    """Yield names after refusing those that unpack outside of their folder."""
    for name in packed:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise UnsafeInputError(
                f"would unpack {name!r} outside of its folder",
                where=str(archive.path),
                code="unsafe-path",
            )
        yield str(path)
