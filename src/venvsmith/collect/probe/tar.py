"""A bounded reader of tar files: headers only, contents by position.

Reads POSIX ustar, PAX and GNU's long names, base-256 numbers included. What has more than one
meaning, or does not fit together, is refused rather than guessed.
Sources: POSIX.1-2017 pax, GNU tar's manual, the OCI image specification's ``layer.md``.
"""

from __future__ import annotations

import os
import stat
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

BLOCK = 512
MAX_EXTENDED = 1024 * 1024
MAX_ENTRIES = 3_000_000
MAX_NAME = 4096
MAX_DEPTH = 512
TYPES = {
    b"0": stat.S_IFREG, b"\0": stat.S_IFREG, b"7": stat.S_IFREG, b"1": 0, b"2": stat.S_IFLNK,
    b"3": stat.S_IFCHR, b"4": stat.S_IFBLK, b"5": stat.S_IFDIR, b"6": stat.S_IFIFO,
}  # fmt: skip


class RefusedError(Exception):
    """An input that cannot be judged safely, or that does not say what is meant.

    :param code: a stable slug, of which ``usage`` and ``no-such-target`` are the user's to mend.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Entry(NamedTuple):
    """A member: where its content lies in the file, and what it says of itself."""

    path: str
    """Absolute in the tree, without ``.`` and ``..``."""
    mode: int
    """With the type's bits; 0 of them for a hard link."""
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    offset: int


class Source:
    """A seekable file, or a part of one, that holds a tar."""

    def __init__(self, fd: int, start: int = 0, size: Optional[int] = None) -> None:
        self.fd = fd
        self.start = start
        self.size = os.fstat(fd).st_size - start if size is None else size

    def pread(self, count: int, offset: int) -> bytes:
        """Return bytes of this part alone."""
        count = max(0, min(count, self.size - offset))
        return os.pread(self.fd, count, self.start + offset)


def entries(source: Source, where: str) -> Iterator[Entry]:
    """Yield a tar's members in order.

    :param where: what to call it in a refusal.
    :raises RefusedError: where it is malformed, ambiguous or over a limit.
    """
    offset = 0
    extra: Dict[str, str] = {}
    common: Dict[str, str] = {}
    for _ in range(MAX_ENTRIES):
        block = source.pread(BLOCK, offset)
        if block == bytes(BLOCK) or (not block and offset == source.size and not extra):
            return
        if not offset and not _is_header(block):
            raise RefusedError("malformed", f"{where}: this is no tar archive")
        if len(block) < BLOCK:
            raise RefusedError("malformed", f"{where}: truncated at {offset}")
        _check_sum(block, where, offset)
        kind = block[156:157]
        size = _number(block[124:136], where)
        offset += BLOCK
        if kind in b"xgLK" and kind != b"":
            if size > MAX_EXTENDED:
                raise RefusedError("limit-exceeded", f"{where}: an extended header of {size} bytes")
            data = source.pread(size, offset)
            if len(data) < size:
                raise RefusedError("malformed", f"{where}: truncated at {offset}")
            _extend(kind, data, extra, common, where)
            offset += _padded(size)
            continue
        if size and "size" in extra and int(extra["size"]) != size:
            # Readers differ in which one they believe, and so in where the next member begins.
            raise RefusedError("ambiguous", f"{where}: two sizes of one member")
        entry = _entry(block, size, {**common, **extra}, offset, where)
        extra = {}
        if entry.offset + entry.size > source.size:
            raise RefusedError("malformed", f"{where}: {entry.path} is cut off")
        yield entry
        offset += _padded(entry.size)
    raise RefusedError("limit-exceeded", f"{where}: more than {MAX_ENTRIES} members")


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _is_header(block: bytes) -> bool:
    try:
        _check_sum(block, "", 0)
    except RefusedError:
        return False
    return len(block) == BLOCK


def _check_sum(block: bytes, where: str, offset: int) -> None:
    stored = _number(block[148:156], where)
    blank = block[:148] + b" " * 8 + block[156:]
    if stored != sum(blank):
        raise RefusedError("malformed", f"{where}: no tar header at {offset}")


def _number(field: bytes, where: str) -> int:
    if field[:1] == b"\x80":
        value = int.from_bytes(field[1:], "big")
    elif field[:1] == b"\xff":
        raise RefusedError("malformed", f"{where}: a negative number")
    else:
        text = field.split(b"\0", 1)[0].strip(b" ")
        if text.strip(b"01234567"):
            raise RefusedError("malformed", f"{where}: {text!r} is no octal number")
        value = int(text or b"0", 8)
    if value > 1 << 60:
        raise RefusedError("limit-exceeded", f"{where}: a number of {value}")
    return value


def _extend(
    kind: bytes, data: bytes, extra: Dict[str, str], common: Dict[str, str], where: str
) -> None:
    """Take in a PAX header or a GNU long name."""
    if kind in (b"L", b"K"):
        extra["path" if kind == b"L" else "linkpath"] = _text(data.rstrip(b"\0"))
        return
    into = common if kind == b"g" else extra
    while data:
        length, _, _ = data.partition(b" ")
        if not length.isdigit() or len(length) > 8 or not len(length) < int(length) <= len(data):
            raise RefusedError("malformed", f"{where}: an unsound PAX header")
        record, data = data[len(length) + 1 : int(length)], data[int(length) :]
        key, separator, value = record.rstrip(b"\n").partition(b"=")
        if not separator or not record.endswith(b"\n"):
            raise RefusedError("malformed", f"{where}: an unsound PAX record")
        name = _text(key)
        if name.startswith("GNU.sparse."):
            raise RefusedError("unsupported", f"{where}: sparse members")
        if name in into and into[name] != _text(value):
            raise RefusedError("ambiguous", f"{where}: two values of {name} in one PAX header")
        if name == "size":
            _whole(_text(value), b"", where)
        into[name] = _text(value)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _field(data: bytes) -> str:
    return _text(data.split(b"\0", 1)[0])


def _entry(block: bytes, size: int, extra: Dict[str, str], offset: int, where: str) -> Entry:
    kind = block[156:157]
    if kind not in TYPES:
        raise RefusedError("unsupported", f"{where}: a member of type {kind!r}")
    name = _field(block[:100])
    prefix = _field(block[345:500]) if block[257:263] == b"ustar\0" else ""
    path = clean(extra.get("path", f"{prefix}/{name}" if prefix else name), where)
    if kind in b"0\0" and name.endswith("/") and "path" not in extra:
        kind = b"5"
    return Entry(
        path=path,
        mode=TYPES[kind] | (_number(block[100:108], where) & 0o7777),
        uid=_whole(extra.get("uid"), block[108:116], where),
        gid=_whole(extra.get("gid"), block[116:124], where),
        size=0 if kind in b"123456" else int(extra.get("size", size)),
        mtime=_number(block[136:148], where) if "mtime" not in extra else _seconds(extra["mtime"]),
        link=extra.get("linkpath", _field(block[157:257])),
        offset=offset,
    )


def _whole(value: Optional[str], field: bytes, where: str) -> int:
    if value is None:
        return _number(field, where)
    if not (value.isascii() and value.isdigit()) or len(value) > 18:
        raise RefusedError("malformed", f"{where}: {value!r} is no number")
    return int(value)


def _seconds(text: str) -> int:
    whole = text.partition(".")[0]
    sound = whole.isascii() and whole.lstrip("-").isdigit() and len(whole) < 18
    return int(whole) if sound else 0


def clean(path: str, where: str) -> str:
    """Return a member's path from the tree's root on.

    :raises RefusedError: where it would lead out of the tree, or is no path at all.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path or len(path) > MAX_NAME or len(parts) > MAX_DEPTH:
        raise RefusedError("unsafe-path", f"{where}: a member is called {path[:200]!r}")
    return "/" + "/".join(parts)


def parts_of(path: str) -> Tuple[str, str]:
    """Return the folder and the name of an absolute path."""
    folder, _, name = path.rpartition("/")
    return folder or "/", name
