"""Small archives in PyInstaller's layout, written by hand so that each field can be wrong."""

from __future__ import annotations

import io
import marshal
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass, field
from importlib.util import MAGIC_NUMBER
from typing import Any

MAGIC = b"MEI\014\013\012\013\016"
VERSION = sys.version_info[0] * 100 + sys.version_info[1]


def code(source: str, name: str = "x.py") -> bytes:
    return marshal.dumps(compile(source, name, "exec"))


def library() -> bytes:
    """Return a ``base_library.zip`` with what the smallest application imports."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("os.pyc", b"")
        archive.writestr("encodings/__init__.pyc", b"")
    return file.getvalue()


@dataclass
class Pyz:
    """The modules' archive; every part can be replaced."""

    modules: dict[str, bytes] = field(default_factory=lambda: {"alpha": zlib.compress(code("A=1"))})
    magic: bytes = b"PYZ\0"
    toc: bytes | None = None
    toc_offset: int | None = None
    kind: int = 0
    packages: frozenset[str] = frozenset()
    """Modules that are packages, whatever `kind` says of the others."""

    def data(self) -> bytes:
        head = len(self.magic) + 8
        body = b""
        rows: list[Any] = []
        for name, data in self.modules.items():
            rows.append(
                (name, (int(name in self.packages) or self.kind, head + len(body), len(data)))
            )
            body += data
        at = head + len(body) if self.toc_offset is None else self.toc_offset
        toc = marshal.dumps(rows) if self.toc is None else self.toc
        return self.magic + MAGIC_NUMBER + struct.pack("!i", at) + body + toc


@dataclass
class Archive:
    """An executable with its archive; every part can be replaced."""

    pyz: Pyz = field(default_factory=Pyz)
    script: bytes = field(default_factory=lambda: code("import alpha"))
    extra: list[tuple[str, str, bytes, int | None]] = field(default_factory=list)
    """Entries besides: name, kind, content as stored, size as told (None: not compressed)."""
    library: bytes = field(default_factory=library)
    base_library: bool = True
    """Whether that is packed into it, as into a single file."""
    row: dict[str, int] = field(default_factory=dict)
    """Fields of the first row that are wrong: ``length``, ``offset``, ``size``, ``row``."""
    cookie: dict[str, int] = field(default_factory=dict)
    """Fields of the cookie that are wrong: ``length``, ``toc``, ``toc_length``, ``version``."""
    python: bytes = b"libpython3.so"
    """The name of Python's own library."""
    head: bytes = b"\x7fELF"
    """The first four bytes of the executable."""
    magic: bytes = MAGIC
    tail: bytes = b""

    def data(self) -> bytes:
        entries = [
            ("app", "s", self.script, None),
            ("PYZ.pyz", "z", self.pyz.data(), None),
            *([("base_library.zip", "b", self.library, None)] if self.base_library else []),
            *self.extra,
        ]
        body = toc = b""
        for number, (name, kind, stored, size) in enumerate(entries):
            padded = name.encode("utf-8", "surrogateescape") + b"\0"
            wrong = self.row if number == 0 else {}
            row = wrong.get("row", 18 + len(padded))
            toc += struct.pack(
                "!IIIIBc",
                row,
                wrong.get("offset", len(body)),
                wrong.get("length", len(stored)),
                wrong.get("size", size if size is not None else len(stored)),
                int(size is not None),
                kind.encode(),
            )
            toc += padded
            body += stored
        cookie = struct.pack(
            "!8sIIII64s",
            self.magic,
            self.cookie.get("length", len(body) + len(toc) + 88),
            self.cookie.get("toc", len(body)),
            self.cookie.get("toc_length", len(toc)),
            self.cookie.get("version", VERSION),
            self.python,
        )
        return self.head + b"\0" * 60 + body + toc + cookie + self.tail
