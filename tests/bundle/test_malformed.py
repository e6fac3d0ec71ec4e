"""Sixty malformed archives and more: refused in words, nothing run, memory bounded."""

from __future__ import annotations

import contextlib
import marshal
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code, library
from venvsmith.bundle.gather import gather
from venvsmith.errors import UnsafeInputError

WHOLE = Archive().data()
BOMB = zlib.compress(b"\0" * (200 * 1024 * 1024), 9)
DEEP = b")\x01" * 5000 + b"N"


def _cookies() -> Iterator[tuple[str, bytes]]:
    for name, values in {
        "length": (0, 1, 87, 2**31, 2**32 - 1),
        "toc": (2**16, 2**31, 2**32 - 1),
        "toc_length": (1, 17, 2**27, 2**32 - 1),
        "version": (0, 27, 207, 2**31),
    }.items():
        for value in values:
            yield f"cookie {name} {value}", Archive(cookie={name: value}).data()


def _rows() -> Iterator[tuple[str, bytes]]:
    for name, values in {
        "row": (0, 1, 17, 18, 2**31),
        "offset": (2**31, 2**32 - 1),
        "length": (2**20, 2**32 - 1),
    }.items():
        for value in values:
            yield f"row {name} {value}", Archive(row={name: value}).data()


def _tables() -> Iterator[tuple[str, bytes]]:
    huge = struct.pack("<I", 2**31)
    for name, toc in {
        "empty": b"",
        "of an unknown type": b"?",
        "a number": b"i\1\0\0\0",
        "a list of numbers": marshal.dumps([1, 2]),
        "a list of pairs of something else": marshal.dumps([("a", 1)]),
        "a list with a negative offset": marshal.dumps([("a", (0, -1, 4))]),
        "a list with an entry outside": marshal.dumps([("a", (0, 12, 2**30))]),
        "a list that claims a size": b"[" + huge,
        "a string that claims a size": b"u" + huge,
        "a reference to nothing": b"r" + huge,
        "nested deep": b"[\1\0\0\0" + DEEP,
        "a cut list": marshal.dumps([("a", (0, 12, 4))])[:-3],
        "two of one name": marshal.dumps([("a", (0, 12, 1)), ("a", (0, 13, 1))]),
        "code": code("import os; os.system('touch /tmp/venvsmith-ran')"),
        "a dictionary with a list as key": b"{[\0\0\0\0N0",
    }.items():
        yield f"table {name}", Archive(pyz=Pyz(toc=toc)).data()
    for offset in (-1, 0, 11, 2**31 - 1):
        yield f"table at {offset}", Archive(pyz=Pyz(toc_offset=offset)).data()
    yield "another magic", Archive(pyz=Pyz(magic=b"ZYP\0")).data()


def _modules() -> Iterator[tuple[str, bytes]]:
    whole = code("A = 1")
    for name, stored in {
        "not compressed": b"plain",
        "cut off": zlib.compress(whole)[:-6],
        "a bomb": BOMB,
        "empty": zlib.compress(b""),
        "a number": zlib.compress(b"N"),
        "cut code": zlib.compress(whole[:-9]),
        "nested deep": zlib.compress(DEEP),
        "a reference to itself": zlib.compress(b"\xdb\1\0\0\0r\0\0\0\0"),
        "garbage": zlib.compress(bytes(range(256)) * 4),
    }.items():
        yield f"module {name}", Archive(pyz=Pyz(modules={"alpha": stored})).data()


def _entries() -> Iterator[tuple[str, bytes]]:
    for name in ("../outside", "/etc/passwd", "a/../../b", "..\\outside"):
        yield f"entry {name}", Archive(extra=[(name, "b", b"x", None)]).data()
    yield "a script that is no code", Archive(script=b"N").data()
    yield "a script of nothing", Archive(script=b"").data()
    yield "a library that is no zip", Archive(library=b"PK\3\4 no").data()
    yield "a library cut off", Archive(library=library()[:-10]).data()


def _cut() -> Iterator[tuple[str, bytes]]:
    for number in range(1, 9):
        yield f"cut by {number * 10}", WHOLE[: -number * 10]
    for start in (64, 100, 200):
        yield f"without bytes at {start}", WHOLE[:start] + WHOLE[start + 40 :]


CASES = [*_cookies(), *_rows(), *_tables(), *_modules(), *_entries(), *_cut()]


def test_the_whole_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(WHOLE)
    facts = gather(tmp_path / "app", ref="app", static=True).environments[0].bundle
    assert facts is not None
    assert (facts.form, facts.scripts, facts.read) == ("file", ("app",), 1)
    assert facts.missing_modules == ()


@pytest.mark.parametrize(("name", "data"), CASES, ids=[name for name, _ in CASES])
def test_a_malformed_archive_is_refused(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeInputError) as caught:
            gather(tmp_path / "app", ref="app", static=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.exit_code == 3
    assert str(tmp_path / "app") in " ".join(caught.value.lines())
    assert peak < 200 * 1024 * 1024
    assert not Path("/tmp/venvsmith-ran").exists()  # noqa: S108


def test_there_are_sixty_of_them() -> None:
    assert len(CASES) >= 60


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    """Every byte of the tables flipped: read or refused, never anything else."""
    start = WHOLE.index(b"PYZ\0")
    refused = 0
    for at in range(start, len(WHOLE)):
        data = bytearray(WHOLE)
        data[at] ^= 0xFF
        (tmp_path / "app").write_bytes(data)
        try:
            gather(tmp_path / "app", ref="app", static=True)
        except UnsafeInputError:
            refused += 1
    assert refused > 100


SOURCE = """\
from importlib.metadata import version
import os
HERE = os.path.dirname(__file__)
def settings(x=(1, "a.json", None)):
    try:
        with open(os.path.join(HERE, "settings.json")) as file:
            return file.read()
    finally:
        version("click")
"""


def test_any_byte_of_a_module_may_be_wrong(tmp_path: Path) -> None:
    whole = code(SOURCE)
    for at in range(len(whole)):
        for flip in (0xFF, 0x80):
            data = bytearray(whole)
            data[at] ^= flip
            modules = {"alpha": zlib.compress(bytes(data), 1)}
            (tmp_path / "app").write_bytes(Archive(pyz=Pyz(modules=modules)).data())
            with contextlib.suppress(UnsafeInputError):
                gather(tmp_path / "app", ref="app", static=True)
