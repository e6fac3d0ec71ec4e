"""PyInstaller's archives: the CArchive behind an executable, and the PYZ with the modules.

The layouts are those of PyInstaller's own `archive/readers.py` and `pyimod01_archive.py`. Its
reader loads tables with `marshal.load` and decompresses without bound, which a file from elsewhere
may abuse; this one does neither.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from venvsmith.bundle.marshalled import MarshalError, read_marshal
from venvsmith.bundle.packed import Inflated, Stored, inflate, malformed, over, pread
from venvsmith.collect.probe.bytecode import MAGICS
from venvsmith.collect.probe.tree import Handle
from venvsmith.errors import UnsafeInputError

MAGIC = b"MEI\014\013\012\013\016"
COOKIE = struct.Struct("!8sIIII64s")
ENTRY = struct.Struct("!IIIIBc")
PYZ_MAGIC = b"PYZ\0"
TAIL = 1024 * 1024
"""Bytes at an executable's end in which the cookie is looked for: a signature may follow it."""
MAX_TABLE = 64 * 1024 * 1024
MAX_ENTRIES = 500_000
MAX_PATH = 4096
MAX_MODULE = 64 * 1024 * 1024
"""Bytes of one module's code; the largest known has 3 MB."""

MAGIC_NUMBERS: Mapping[int, str] = {number: minor for minor, number in MAGICS.items()}
"""What each release writes before its bytecode."""
ModuleKind = Literal["module", "package", "namespace"]
_PYZ_KINDS: Mapping[int, ModuleKind] = {0: "module", 1: "package", 3: "namespace"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One row of a CArchive's table.

    ``offset`` is the position in the file; ``kind`` is PyInstaller's type code: ``b`` a binary,
    ``d`` a dependency, ``m``/``M`` a module or package of the bootstrap, ``n`` a link, ``o`` an
    option, ``s`` a script, ``x`` data, ``z`` a PYZ.
    """

    name: str
    kind: str
    offset: int
    length: int
    size: int
    compressed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleEntry:
    """Where a PYZ keeps one module's compressed code."""

    kind: ModuleKind
    offset: int
    length: int


@dataclass(kw_only=True, slots=True)
class Archive:
    """An executable with its archive, open for reading.

    :ivar python: the minor version that it embeds, ``3.11``.
    :ivar library: the name of its libpython.
    :ivar modules: the PYZ's table.
    """

    path: Path
    python: str
    library: str
    entries: tuple[Entry, ...]
    modules: Mapping[str, ModuleEntry] = field(default_factory=dict)
    descriptor: int = -1

    def __enter__(self) -> Self:
        """Enter the context."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    @property
    def options(self) -> tuple[str, ...]:
        """Return what the bootloader was told, ``pyi-contents-directory _internal``."""
        return tuple(entry.name for entry in self.entries if entry.kind == "o")

    def executable(self) -> Handle:
        """Return the whole file, to be read by position while the archive is open."""
        return Stored(self.descriptor, 0, os.fstat(self.descriptor).st_size)

    def read(self, entry: Entry, *, limit: int = MAX_MODULE) -> bytes:
        """Return an entry's content.

        :raises UnsafeInputError: where it is truncated, does not decompress or exceeds ``limit``.
        """
        where = f"{self.path}:{entry.name}"
        data = self._taken(entry, where, limit)
        return inflate(data, min(limit, entry.size), where=where) if entry.compressed else data

    def open(self, entry: Entry) -> Handle:
        """Open an entry of any size, to be read by position while the archive is open."""
        if not entry.compressed:
            return Stored(self.descriptor, entry.offset, entry.length)
        where = f"{self.path}:{entry.name}"
        return Inflated(self.descriptor, entry.offset, entry.length, entry.size, where)

    def code(self, name: str) -> bytes | None:
        """Return the marshalled code of a module in the PYZ, None for a namespace.

        :raises KeyError: where there is no such module.
        :raises UnsafeInputError: as `read`.
        """
        entry = self.modules[name]
        if entry.kind == "namespace":
            return None
        where = f"{self.path}:{name}"
        return inflate(self._taken(entry, where, MAX_MODULE), MAX_MODULE, where=where)

    def _taken(self, entry: Entry | ModuleEntry, where: str, limit: int) -> bytes:
        """Return what is stored of an entry."""
        if entry.length > limit:
            raise over(f"has more than {limit} bytes", where)
        return pread(self.descriptor, entry.offset, entry.length, self.path, where)


def open_archive(path: Path) -> Archive | None:
    """Open an executable's archive; None where it carries none.

    :raises UnsafeInputError: where it carries one that is malformed or over a limit.
    :raises OSError: where the file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        archive = _read_archive(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    if archive is None:
        os.close(descriptor)
    return archive


def _read_archive(path: Path, descriptor: int) -> Archive | None:
    size = os.fstat(descriptor).st_size
    start = max(0, size - TAIL)
    tail = os.pread(descriptor, TAIL, start)
    at = tail.rfind(MAGIC)
    if at < 0:
        return None
    where = str(path)
    if len(tail) - at < COOKIE.size:
        raise malformed("the archive's last record is cut off", where)
    _, length, toc_offset, toc_length, version, library = COOKIE.unpack_from(tail, at)
    end = start + at + COOKIE.size
    begin = end - length
    if begin < 0 or toc_offset + toc_length > length or toc_length > MAX_TABLE:
        raise malformed(
            f"its table would lie at {toc_offset}, {toc_length} bytes long, in an archive of "
            f"{length} bytes; the file has {size}",
            where,
        )
    table = pread(descriptor, begin + toc_offset, toc_length, path, "the table")
    entries = tuple(_entries(table, begin, end, where))
    archive = Archive(
        path=path,
        python=_minor(version, where),
        library=library.split(b"\0", 1)[0].decode("ascii", "replace"),
        entries=entries,
        descriptor=descriptor,
    )
    pyz = next((entry for entry in entries if entry.kind == "z"), None)
    if pyz is not None:
        archive.modules = _modules(descriptor, pyz, path, archive.python)
    return archive


def _minor(version: int, where: str) -> str:
    major, minor = divmod(version, 100)
    if major != 3:  # noqa: PLR2004 - PyInstaller writes 3.11 as 311
        raise malformed(f"it names Python {version}", where)
    return f"{major}.{minor}"


def _entries(table: bytes, begin: int, end: int, where: str) -> Iterator[Entry]:
    at = count = taken = 0
    while at < len(table):
        count += 1
        if count > MAX_ENTRIES or len(table) - at < ENTRY.size:
            raise malformed(f"entry {count} of its table is cut off, or one too many", where)
        row, offset, length, size, flag, kind = ENTRY.unpack_from(table, at)
        if not ENTRY.size < row <= ENTRY.size + MAX_PATH or at + row > len(table):
            raise malformed(f"entry {count} of its table has the length {row}", where)
        name = text_of(table[at + ENTRY.size : at + row])
        at += row
        taken += length
        if offset + length > end - begin:
            raise malformed(f"{name!r} would lie outside the archive", where)
        if taken > end - begin:
            raise malformed(f"{name!r} and others would lie in the same place", where)
        yield Entry(
            name=name,
            kind=kind.decode("latin-1"),
            offset=begin + offset,
            length=length,
            size=size,
            compressed=bool(flag),
        )


def text_of(name: bytes) -> str:
    """Return a name that an archive holds; what is no UTF-8 in it is replaced."""
    return name.rstrip(b"\0").decode("utf-8", "replace")


def _modules(descriptor: int, pyz: Entry, path: Path, python: str) -> Mapping[str, ModuleEntry]:
    where = f"{path}:{pyz.name}"
    head = pread(descriptor, pyz.offset, 12, path, pyz.name)
    if head[:4] != PYZ_MAGIC:
        raise malformed("the modules' archive does not begin as one", where)
    made_by = MAGIC_NUMBERS.get(int.from_bytes(head[4:6], "little"), python)
    if made_by != python:
        raise malformed(f"Python {made_by} compiled its modules, and it embeds {python}", where)
    (toc,) = struct.unpack_from("!i", head, 8)
    if not 12 <= toc < pyz.length or pyz.length - toc > MAX_TABLE:  # noqa: PLR2004 - the header
        raise malformed(f"its table would lie at {toc} of {pyz.length}", where)
    data = pread(descriptor, pyz.offset + toc, pyz.length - toc, path, pyz.name)
    try:
        rows = read_marshal(data)
    except MarshalError as exc:
        raise malformed(f"its table cannot be read: {exc}", where) from exc
    if isinstance(rows, dict):
        rows = list(rows.items())
    return dict(_module_rows(rows if isinstance(rows, list) else [None], pyz, where))


def _module_rows(rows: list[Any], pyz: Entry, where: str) -> Iterator[tuple[str, ModuleEntry]]:
    seen: set[str] = set()
    taken = 0
    for row in rows:
        match row:
            case (str(name), (int(kind), int(offset), int(length))):
                pass
            case _:
                raise malformed("its table is none of modules", where)
        if kind not in _PYZ_KINDS:
            continue
        if name in seen:
            raise UnsafeInputError(f"names {name!r} twice", where=where, code="ambiguous")
        if offset < 0 or length < 0 or offset + length > pyz.length:
            raise malformed(f"{name!r} would lie outside of it", where)
        taken += length
        if taken > pyz.length:
            raise malformed(f"{name!r} and others would lie in the same place", where)
        seen.add(name)
        yield name, ModuleEntry(kind=_PYZ_KINDS[kind], offset=pyz.offset + offset, length=length)
