"""The digest that a tree has as an image layer: BuildKit's own, computed without it.

A layer's ``diff_id`` is the sha256 of its uncompressed tar. BuildKit (and containerd, below it)
writes that with Go's `archive/tar`: every name in order, owners 0, a name that does not fit a
plain header split or moved into an extended one. Python's `tarfile` differs in the last two, so
the headers are made here.
https://github.com/opencontainers/image-spec/blob/main/config.md#layer-diffid
https://pkg.go.dev/archive/tar#Format
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

BLOCK = 512
NAME, PREFIX = 100, 155
CHUNK = 1024 * 1024
_DIRECTORY, _LINK, _FILE, _EXTENDED = b"5", b"2", b"0", b"x"


def diff_id(tree: Path) -> str:
    """Return ``sha256:...`` of a folder's content as a layer whose owner is root.

    Times and modes are taken as they are: `normalise.py` has set them.

    :raises OSError: where a file cannot be read.
    """
    digest = hashlib.sha256()
    for block in _tar(tree):
        digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _tar(tree: Path) -> Iterator[bytes]:
    yield from _entries(os.fsencode(tree), b"")
    yield bytes(2 * BLOCK)


def _entries(folder: bytes, below: bytes) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path, inside = folder + b"/" + name, below + name
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            yield from _header(inside + b"/", info, _DIRECTORY)
            yield from _entries(path, inside + b"/")
        elif stat.S_ISLNK(info.st_mode):
            yield from _header(inside, info, _LINK, link=os.readlink(path))  # noqa: PTH115
        else:
            yield from _header(inside, info, _FILE, size=info.st_size)
            with open(path, "rb") as file:  # noqa: PTH123 - a path of bytes, whatever its name
                while chunk := file.read(CHUNK):
                    yield chunk
            yield bytes(-info.st_size % BLOCK)


def _header(
    name: bytes, info: os.stat_result, kind: bytes, *, size: int = 0, link: bytes = b""
) -> Iterator[bytes]:
    """Yield an entry's header, after an extended one where a name does not fit."""
    mode, time = stat.S_IMODE(info.st_mode), int(info.st_mtime)
    split = _split(name)
    records = {}
    if split is None:
        records[b"path"] = name
    if len(link) > NAME or not link.isascii():
        records[b"linkpath"] = link
    if not records:
        prefix, rest = split or (b"", name)
        yield _block(rest, kind, mode=mode, size=size, time=time, link=link, prefix=prefix)
        return
    data = b"".join(_record(key, records[key]) for key in sorted(records))
    folder, _, file = name.rpartition(b"/")
    extended = b"/".join(part for part in (folder, b"PaxHeaders.0", file) if part)
    yield _block(_ascii(extended)[:NAME].rstrip(b"/"), _EXTENDED, size=len(data))
    yield data + bytes(-len(data) % BLOCK)
    short, short_link = _fitting(_ascii(name)), _fitting(_ascii(link))
    yield _block(short, kind, mode=mode, size=size, time=time, link=short_link)


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Return a name cut into prefix and rest, None where no cut makes it fit."""
    if not name.isascii():
        return None
    if len(name) <= NAME:
        return b"", name
    head = name[: PREFIX + 1]
    if len(name) <= PREFIX + 1 and head.endswith(b"/"):
        head = head[:-1]
    at = head.rfind(b"/")
    rest = name[at + 1 :]
    return (name[:at], rest) if at > 0 and rest and len(rest) <= NAME else None


def _record(key: bytes, value: bytes) -> bytes:
    """Return one record of an extended header: its own length, key and value."""
    body = b" " + key + b"=" + value + b"\n"
    size = len(body)
    while len(str(size)) + len(body) != size:
        size = len(str(size)) + len(body)
    return str(size).encode() + body


def _ascii(name: bytes) -> bytes:
    return bytes(byte for byte in name if byte < 0x80)  # noqa: PLR2004 - ASCII ends there


def _fitting(name: bytes) -> bytes:
    """Return a name cut to its field, which must not end in a slash by the cut."""
    return name if len(name) <= NAME else name[:NAME].rstrip(b"/")


def _block(
    name: bytes,
    kind: bytes,
    *,
    mode: int = 0,
    size: int,
    time: int = 0,
    link: bytes = b"",
    prefix: bytes = b"",
) -> bytes:
    """Return a header's 512 bytes, in the layout of POSIX.1-1988 (ustar)."""
    # Go leaves the numbers of a device empty in an extended header, and zero in all others.
    device = bytes(8) if kind == _EXTENDED else b"%07o\0" % 0
    fields = [
        name.ljust(NAME, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"%011o\0" % size,
        b"%011o\0" % time,
        b" " * 8,
        kind,
        link.ljust(NAME, b"\0"),
        b"ustar\00000",
        bytes(64),
        device,
        device,
        prefix.ljust(PREFIX, b"\0"),
        bytes(12),
    ]
    block = bytearray(b"".join(fields))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
