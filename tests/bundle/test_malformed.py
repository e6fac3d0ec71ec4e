"""A hundred malformed archives: refused in words, nothing run, time and memory bounded."""

from __future__ import annotations

import contextlib
import io
import marshal
import struct
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from frozen_archives import Archive, Pyz, code, library
from venvsmith.bundle.contents import read_bundle
from venvsmith.bundle.gather import gather
from venvsmith.bundle.graph import parse
from venvsmith.errors import UnsafeInputError

WHOLE = Archive().data()
MEGABYTES = 1024 * 1024
BOMB = zlib.compress(b"\0" * (200 * MEGABYTES), 9)
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
        "a key that would take for ever to hash": b"{" + _doubled(60, b"z\1a") + b"N0",
        "several modules in the same place": marshal.dumps(
            [(f"m{number}", (0, 12, 200)) for number in range(20)]
        ),
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
        "of more values than any": zlib.compress(b"(" + struct.pack("<I", 2**23) + b"N" * 2**23),
        "whose functions share one long code": zlib.compress(_sharing(300)),
        "whose imports share long lists of names": zlib.compress(_taking(400)),
    }.items():
        yield f"module {name}", Archive(pyz=Pyz(modules={"alpha": stored})).data()


def _doubled(depth: int, end: bytes) -> bytes:
    """Return tuples in tuples, each of which stands twice in the one around it."""
    for number in reversed(range(depth)):
        again = b"r" + struct.pack("<I", number + 1) if number + 1 < depth else end
        end = b"\xa9\2" + end + again
    return end


def _code(code: bytes, consts: bytes, names: bytes = b")\0", flag: int = 0) -> bytes:
    """Return a marshalled code object of Python 3.11 with fields as they are."""
    head = bytes([ord("c") | flag]) + b"\0" * 20
    fields = code + consts + names + b")\0s\0\0\0\0z\1xz\1fz\1f\0\0\0\0"
    return head + fields + b"s\0\0\0\0" * 2


def _sharing(count: int) -> bytes:
    long = b"\xf3" + struct.pack("<I", 10_000) + b"\x97\0" * 5000
    first = _code(long, b")\0")
    rest = _code(b"r\0\0\0\0", b")\0") * (count - 1)
    return _code(b"s\2\0\0\0\x97\0", b"(" + struct.pack("<I", count) + first + rest)


def _taking(count: int) -> bytes:
    """Return code that imports so often so many names, by one list of them."""
    level, names = b"i\0\0\0\0", b"(" + struct.pack("<I", count) + b"z\1a" * count
    statement = b"d\0d\1l\0\1\0"
    code = b"s" + struct.pack("<I", len(statement) * count) + statement * count
    return _code(code, b")\2" + level + names, b")\1z\4gone")


def _nested_twice(depth: int) -> bytes:
    """Return code in code, each of which stands twice in the one around it."""
    end = b"N"
    for number in reversed(range(depth)):
        again = b"r" + struct.pack("<I", number + 1) if number + 1 < depth else b"N"
        end = _code(b"s\2\0\0\0\x97\0", b")\2" + end + again, flag=0x80)
    return end


def _zeros(size: int, head: bytes = b"") -> bytes:
    """Return a head and zeros, so many bytes together, compressed, without ever holding them."""
    stream = zlib.compressobj(1)
    blocks = [b"\0" * MEGABYTES] * (size // MEGABYTES - 1)
    blocks.append(b"\0" * (MEGABYTES - len(head)))
    return b"".join(stream.compress(block) for block in (head, *blocks)) + stream.flush()


def _entries() -> Iterator[tuple[str, bytes]]:
    for name in ("../outside", "/etc/passwd", "a/../../b", "..\\outside"):
        yield f"entry {name}", Archive(extra=[(name, "b", b"x", None)]).data()
    yield "a script that is no code", Archive(script=b"N").data()
    yield "a script of nothing", Archive(script=b"").data()
    yield "a library that is no zip", Archive(library=b"PK\3\4 no").data()
    bomb = _zeros(64 * MEGABYTES)
    packed = ("base_library.zip", "b", bomb, 64 * MEGABYTES)
    yield "a library that is a bomb", Archive(base_library=False, extra=[packed]).data()
    yield "a link as long as a book", Archive(extra=[("a.so", "n", bomb, 64 * MEGABYTES)]).data()
    yield "a name as long as a book", Archive(extra=[("a" * 5000, "b", b"x", None)]).data()
    yield "files in the same place", Archive(row={"length": 400}).data()
    for folder in ("../secret", "/etc", "..", "a/b", "..\\secret"):
        option = (f"pyi-contents-directory {folder}", "o", b"", None)
        yield f"files in {folder}", Archive(base_library=False, extra=[option]).data()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bombs:
        bombs.writestr("encodings.pyc", bytes(MEGABYTES))
        bombs.infolist()[0].file_size = 65 * MEGABYTES
    yield "a library whose code is a bomb", Archive(library=file.getvalue()).data()
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
    assert peak < 200 * MEGABYTES
    assert not Path("/tmp/venvsmith-ran").exists()  # noqa: S108


def test_there_are_sixty_of_them() -> None:
    assert len(CASES) >= 60


def test_what_stands_in_several_places_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(Archive(script=_nested_twice(60)).data())
    facts = gather(tmp_path / "app", ref="app", static=True).environments[0].bundle
    assert facts is not None
    assert facts.scripts == ("app",)


def test_names_that_are_no_text_can_be_told(tmp_path: Path) -> None:
    """Of entries, and of modules: a name that stands for itself may hold a lone surrogate."""
    odd = b"\xff\xed\xa0\x80".decode("utf-8", "surrogateescape")
    script = code("def f():\n  import gone").replace(b"\xda\4gone", b"\xf5\5\0\0\0\xed\xa0\x80xy")
    whole = Archive(script=script)
    whole.extra = [(odd, "s", code("import other"), None), (f"{odd}.so", "b", b"x", None)]
    (tmp_path / "app").write_bytes(whole.data())
    (environment,) = gather(tmp_path / "app", ref="app", static=True).environments
    assert environment.bundle is not None
    names = [gap.module for gap in environment.bundle.missing_modules]
    assert names == [r"\xed\xa0\x80xy", "other"]
    msgspec.json.encode(environment)


def test_words_in_tuples_are_looked_for_once(tmp_path: Path) -> None:
    source = _code(b"s\2\0\0\0\x97\0", _doubled(60, b"z\4word"), b")\1z\x0dimport_module")
    modules = {"alpha": zlib.compress(source)}
    (tmp_path / "app").write_bytes(Archive(pyz=Pyz(modules=modules)).data())
    with read_bundle(tmp_path / "app").archive as archive:
        data = archive.code("alpha")
    assert data is not None
    assert parse(data, (3, 11), "alpha").words == {"word"}


def test_imports_and_jumps_by_the_thousand_are_read_in_a_moment() -> None:
    """Each import in a function is held against all stretches that a jump may pass over."""
    body = "\n".join(f" if a:\n  import b{number}" for number in range(12_000))
    began = time.process_time()
    found = parse(code(f"def f(a):\n{body}\n"), sys.version_info[:2], "x")
    assert len(found.imports) == 12_000
    assert all(entry.conditional for entry in found.imports)
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    "lines",
    [
        "f({names}, {texts})",  # each file meets every name
        "X = f(a, {texts})\n{uses}",  # each use is one of every file
        "Y = f({names})\n{stores}",  # each file meets every name by way of a variable
    ],
)
def test_files_and_what_they_meet_by_the_thousand_are_read_in_a_moment(lines: str) -> None:
    def source(size: int) -> bytes:
        return code(
            "HERE = __file__\n"
            + lines.format(
                names=", ".join(f"n{number}" for number in range(size)),
                texts=", ".join(["'a.json'"] * size),
                uses="X\n" * size,
                stores="\n".join(f"Z{number} = f(Y, 'a.json')" for number in range(size)),
            )
        )

    def reading(size: int) -> tuple[int, float]:
        data = source(size)
        tracemalloc.start()
        began = time.process_time()
        try:
            parse(data, sys.version_info[:2], "x")
            return tracemalloc.get_traced_memory()[1], time.process_time() - began
        finally:
            tracemalloc.stop()

    few, _ = reading(500)
    many, took = reading(2000)
    assert many < 8 * few
    assert took < 4


@pytest.mark.parametrize(
    ("name", "error"), [("large.so", None), ("click-8.dist-info/RECORD", "no such")]
)
def test_a_large_file_is_not_held_in_memory(name: str, error: str | None, tmp_path: Path) -> None:
    size = 96 * MEGABYTES
    # An ELF file whose program headers are told to lie at its end.
    head = b"\x7fELF\2\1\1" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, size - 56, 0, 0, 64, 56, 1, 0, 0, 0)
    packed = _zeros(size, head)
    (tmp_path / "app").write_bytes(Archive(extra=[(name, "b", packed, size)]).data())
    tracemalloc.start()
    try:
        facts = gather(tmp_path / "app", ref="app", static=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    errors = {elf.path: elf.error for elf in facts.environments[0].elves}
    assert errors.get("large.so", "no such") == error
    assert peak < 60 * MEGABYTES


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
