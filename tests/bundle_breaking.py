"""Ways to break a frozen application after the fact, each within its own copy.

Tables are rewritten in place, so that nothing else of an archive moves.
"""

from __future__ import annotations

import marshal
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path

COOKIE = struct.Struct("!8sIIII64s")
ROW = struct.Struct("!IIIIBc")
MAGIC = b"MEI\014\013\012\013\016"
AARCH64 = 183
MAGIC_311, MAGIC_312 = 3495, 3531
Breaking = Callable[[Path], None]


def copied(whole: Path, to: Path) -> Path:
    """Copy an application as links: a breaking replaces files, it never writes into one."""
    if whole.is_dir():
        shutil.copytree(whole, to, symlinks=True, copy_function=os.link)
    else:
        os.link(whole, to)
    return to


def executable(path: Path) -> Path:
    if path.is_file():
        return path
    named = path / path.name
    return named if named.exists() else next(p for p in path.iterdir() if p.is_file())


def contents(path: Path) -> Path:
    inside = path / "_internal"
    return inside if inside.is_dir() else path


def replaced(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)


def without_files(*patterns: str) -> Breaking:
    """Remove files and folders of the contents; each pattern must match."""

    def broken(path: Path) -> None:
        for pattern in patterns:
            found = sorted(contents(path).glob(pattern))
            assert found, f"nothing matches {pattern}"
            for each in found:
                if each.is_dir() and not each.is_symlink():
                    shutil.rmtree(each)
                else:
                    each.unlink(missing_ok=True)

    return broken


def renamed(pattern: str, old: str, new: str) -> Breaking:
    def broken(path: Path) -> None:
        (found,) = contents(path).glob(pattern)
        found.rename(found.with_name(found.name.replace(old, new)))

    return broken


def patched(pattern: str, offset: int, data: bytes) -> Breaking:
    """Write bytes at an offset of the one file that matches; of the executable for ``APP``."""

    def broken(path: Path) -> None:
        one = [executable(path)] if pattern == "APP" else list(contents(path).glob(pattern))
        (found,) = one
        whole = bytearray(found.read_bytes())
        at = offset if offset >= 0 else len(whole) + offset
        whole[at : at + len(data)] = data
        replaced(found, bytes(whole))

    return broken


def foreign(pattern: str) -> Breaking:
    """Set an ELF file's machine to another one."""
    return patched(pattern, 18, struct.pack("<H", AARCH64))


def cut(pattern: str, keep: float) -> Breaking:
    def broken(path: Path) -> None:
        one = [executable(path)] if pattern == "APP" else list(contents(path).glob(pattern))
        (found,) = one
        whole = found.read_bytes()
        replaced(found, whole[: int(len(whole) * keep)])

    return broken


def without_modules(*names: str) -> Breaking:
    """Take modules, and all below them, off the PYZ's table."""

    def edited(rows: list[tuple[str, tuple[int, int, int]]]) -> None:
        gone = [row for row in rows if any(_below(row[0], name) for name in names)]
        assert len(gone) >= len(names), f"not all of {names} are there"
        rows[:] = [row for row in rows if row not in gone]

    def broken(path: Path) -> None:
        whole = bytearray(executable(path).read_bytes())
        _edit_modules(whole, edited)
        replaced(executable(path), bytes(whole))

    return broken


def damaged_code(name: str) -> Breaking:
    """Overwrite the beginning of a module's compressed code."""

    def broken(path: Path) -> None:
        whole = bytearray(executable(path).read_bytes())
        at, _, rows = _modules(whole)
        _, offset, _ = dict(rows)[name]
        whole[at + offset : at + offset + 8] = b"\0" * 8
        replaced(executable(path), bytes(whole))

    return broken


def damaged_record(path: Path) -> None:
    """Let the archive's last record claim another length."""
    whole = bytearray(executable(path).read_bytes())
    at = whole.rfind(MAGIC) + len(MAGIC)
    whole[at : at + 4] = b"\xff\xff\xff\xff"
    replaced(executable(path), bytes(whole))


def other_python(path: Path) -> None:
    """Let the PYZ say that another Python compiled it: 3.12, or 3.11 where this is 3.12."""
    magic = MAGIC_312 if MAGIC_312.to_bytes(2, "little") != MAGIC_NUMBER[:2] else MAGIC_311
    whole = bytearray(executable(path).read_bytes())
    at, _, _ = _modules(whole)
    whole[at + 4 : at + 8] = magic.to_bytes(2, "little") + b"\r\n"
    replaced(executable(path), bytes(whole))


def without_entries(*beginnings: str) -> Breaking:
    """Take files off the table of an executable that holds all of them."""

    def broken(path: Path) -> None:
        whole = bytearray(executable(path).read_bytes())
        cookie = whole.rfind(MAGIC)
        magic, length, toc, size, version, library = COOKIE.unpack_from(whole, cookie)
        begin = cookie + COOKIE.size - length + toc
        rows = list(_rows(whole, begin, size))
        kept = [row for name, row, _ in rows if not name.startswith(beginnings)]
        assert len(kept) < len(rows), f"none of {beginnings} is there"
        table = b"".join(kept)
        whole[begin : begin + size] = table.ljust(size, b"\0")
        COOKIE.pack_into(whole, cookie, magic, length, toc, len(table), version, library)
        replaced(executable(path), bytes(whole))

    return broken


def _below(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}.")


def _rows(
    whole: bytearray, begin: int, size: int
) -> Iterator[tuple[str, bytes, tuple[int, int, str]]]:
    at = begin
    while at < begin + size:
        length, offset, stored, _, _, kind = ROW.unpack_from(whole, at)
        name = bytes(whole[at + ROW.size : at + length]).rstrip(b"\0").decode()
        yield name, bytes(whole[at : at + length]), (offset, stored, kind.decode())
        at += length


def _modules(whole: bytearray) -> tuple[int, int, list[tuple[str, tuple[int, int, int]]]]:
    """Return where the PYZ begins and ends, and its table."""
    cookie = whole.rfind(MAGIC)
    _, length, toc, size, _, _ = COOKIE.unpack_from(whole, cookie)
    start = cookie + COOKIE.size - length
    offset, stored = next(
        (offset, stored)
        for _, _, (offset, stored, kind) in _rows(whole, start + toc, size)
        if kind == "z"
    )
    at = start + offset
    (table,) = struct.unpack_from("!i", whole, at + 8)
    return at, at + stored, marshal.loads(bytes(whole[at + table :]))  # noqa: S302 - PyInstaller just wrote it


def _edit_modules(
    whole: bytearray, edit: Callable[[list[tuple[str, tuple[int, int, int]]]], None]
) -> None:
    at, end, rows = _modules(whole)
    edit(rows)
    begin = at + struct.unpack_from("!i", whole, at + 8)[0]
    table = marshal.dumps(rows)
    assert len(table) <= end - begin
    whole[begin:end] = table.ljust(end - begin, b"\0")
