"""Marshalled data read as data: no code object is made, nothing is executed, everything bounded.

`marshal.loads` is documented as unsafe for data from elsewhere. The format is that of CPython's
`Python/marshal.c`, versions 2 to 5 (Python 3.8 to 3.14).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 200
"""Levels of nesting: of functions in functions, or of constants in constants."""
MAX_VALUES = 2_000_000
"""Values in containers; the largest known module has 36,000."""
SHARED = 8
"""How many times its own length all code objects of a module may have together, as they may refer
to the same parts: below 1 in every module measured."""
_INT = struct.Struct("<i")
_UINT = struct.Struct("<I")
_FLAG_REF = 0x80
NEW_LAYOUT = (3, 11)
"""From this version on a code object carries its exception table and no stack of blocks."""


class MarshalError(ValueError):
    """The data are not what `marshal` writes, or nest too deep."""


@dataclass(slots=True)
class Code:
    """The parts of a code object from which its imports and names can be read."""

    name: str
    code: bytes
    consts: tuple[Any, ...]
    names: tuple[str, ...]
    exceptions: bytes


def read_marshal(data: bytes, python: tuple[int, int] = (3, 11)) -> Any:
    """Return the value of marshalled data; a code object comes as `Code`.

    :param python: the version that wrote it, which decides a code object's layout.
    :raises MarshalError: for whatever does not fit.
    """
    reader = _Reader(data, python)
    try:
        found = reader.value(0)
    except (
        struct.error, IndexError, UnicodeDecodeError, OverflowError, TypeError, RecursionError
    ) as exc:  # fmt: skip
        raise MarshalError(f"at byte {reader.at}: {exc}") from exc
    if reader.at > len(data):
        raise MarshalError(f"{reader.at} bytes are wanted, and the data end at {len(data)}")
    return found


def read_code(data: bytes, python: tuple[int, int]) -> Code:
    """Return a marshalled code object.

    :raises MarshalError: where the data are something else.
    """
    code = read_marshal(data, python)
    if not isinstance(code, Code):
        raise MarshalError("no code object")
    return code


class _Reader:
    """A place in the data, and what references back may name."""

    __slots__ = ("at", "data", "left", "looks", "new", "refs", "text")

    def __init__(self, data: bytes, python: tuple[int, int]) -> None:
        self.data = data
        # A character for each byte, so that a slice of it is a short string.
        self.text = data.decode("latin-1")
        self.at = 0
        self.refs: list[Any] = []
        self.new = python >= NEW_LAYOUT
        self.left = MAX_VALUES
        self.looks = SHARED * len(data)

    def value(self, depth: int) -> Any:
        return self.values(1, depth)[0]

    def values(self, count: int, depth: int) -> list[Any]:
        """Read values that stand one after the other; those of common kinds without a call each.

        A string or bytes that would reach over the end are met by whoever reads on, at last by
        `read_marshal`.
        """
        if depth > MAX_DEPTH:
            raise MarshalError(f"nested deeper than {MAX_DEPTH}")
        self.left -= count
        if self.left < 0:
            raise MarshalError(f"more than {MAX_VALUES} values")
        data, text, refs, at = self.data, self.text, self.refs, self.at
        found: list[Any] = []
        for _ in range(count):
            tag = data[at]
            if tag == _REFERENCE:
                found.append(refs[_uint_at(data, at + 1)[0]])
                at += 5
                continue
            value: Any
            if tag in _SHORT:
                end = at + 2 + data[at + 1]
                value = text[at + 2 : end]
                at = end
            elif tag in _BYTES:
                end = at + 5 + _uint_at(data, at + 1)[0]
                value = data[at + 5 : end]
                at = end
            elif tag == _NONE:
                value = None
                at += 1
            else:
                self.at = at + 1
                found.append(self.other(tag, depth))
                at = self.at
                continue
            if tag & _FLAG_REF:
                refs.append(value)
            found.append(value)
        self.at = at
        return found

    def other(self, tag: int, depth: int) -> Any:
        """Read a value of one of the rarer kinds, whose tag was read."""
        kind = tag & ~_FLAG_REF
        read = _READ.get(kind)
        if read is None:
            raise MarshalError(f"at byte {self.at - 1}: unknown type {chr(kind)!r}")
        if not tag & _FLAG_REF:
            return read(self, depth)
        if kind not in _CONTAINERS:
            found = read(self, depth)
            self.refs.append(found)
            return found
        # A container is counted before what it holds.
        slot = len(self.refs)
        self.refs.append(None)
        found = self.refs[slot] = read(self, depth)
        return found

    def take(self, size: int) -> bytes:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise MarshalError(f"at byte {self.at}: {size} bytes are wanted, and the data end")
        found = self.data[self.at : end]
        self.at = end
        return found

    def length(self) -> int:
        (size,) = _uint_at(self.data, self.at)
        self.at += 4
        # Every element takes a byte at least.
        if size > len(self.data) - self.at:
            raise MarshalError(f"at byte {self.at}: {size} elements are wanted, and the data end")
        return int(size)

    def integer(self) -> int:
        (number,) = _INT.unpack_from(self.data, self.at)
        self.at += 4
        return int(number)

    def string(self, encoding: str) -> str:
        # A lone surrogate is written, too; its escape says as much and can be told.
        return self.take(self.length()).decode(encoding, "backslashreplace")

    def small_tuple(self, depth: int) -> tuple[Any, ...]:
        size = self.data[self.at]
        self.at += 1
        return tuple(self.values(size, depth + 1))

    def large_tuple(self, depth: int) -> tuple[Any, ...]:
        return tuple(self.values(self.length(), depth + 1))

    def dictionary(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while True:
            key = self.value(depth + 1)
            if key is _NULL:
                return found
            if not isinstance(key, str):  # a tuple may take forever to hash
                raise MarshalError(f"at byte {self.at}: a key that is no string")
            found[key] = self.value(depth + 1)

    def long(self, _depth: int) -> int:
        count = self.integer()
        digits = self.take(2 * abs(count))
        number = sum(
            int.from_bytes(digits[at : at + 2], "little") << (15 * (at // 2))
            for at in range(0, min(len(digits), 64), 2)
        )
        return -number if count < 0 else number

    def code(self, depth: int) -> Code:
        self.at += 20 if self.new else 24  # five or six numbers, of arguments, stack and flags
        # The code; kinds of the variables, or the free ones (and the bound ones); the file's name.
        fields = self.values(8, depth + 1)
        code, consts, names = fields[:3]
        name = fields[6 if self.new else 7]
        self.at += 4  # its first line
        lines, *rest = self.values(2 if self.new else 1, depth + 1)
        exceptions = rest[0] if rest else b""
        whole = isinstance(code, bytes) and isinstance(lines, bytes) and isinstance(name, str)
        tables = isinstance(consts, tuple) and isinstance(names, tuple)
        if not (whole and tables and isinstance(exceptions, bytes)):
            raise MarshalError(f"at byte {self.at}: a code object that is none")
        if not _STRINGS.issuperset(map(type, names)):
            raise MarshalError(f"at byte {self.at}: a name that is no string")
        # Many code objects may share one long part, and each of them is looked through.
        self.looks -= len(code) + len(consts) + len(names) + len(exceptions)
        if self.looks < 0:
            raise MarshalError("the same parts belong to more and more code objects")
        return Code(name, code, consts, names, exceptions)


_uint_at = _UINT.unpack_from
_REFERENCE, _NONE = b"rN"
_SHORT = frozenset(b"zZ") | {tag | _FLAG_REF for tag in b"zZ"}
_BYTES = frozenset((ord("s"), ord("s") | _FLAG_REF))
_NULL = object()
_STRINGS = frozenset((str,))
_CONTAINERS = frozenset(b"()[{<>c:")
_READ: dict[int, Callable[[_Reader, int], Any]] = {
    ord("0"): lambda _reader, _depth: _NULL,
    ord("N"): lambda _reader, _depth: None,
    ord("T"): lambda _reader, _depth: True,
    ord("F"): lambda _reader, _depth: False,
    ord("S"): lambda _reader, _depth: StopIteration,
    ord("."): lambda _reader, _depth: Ellipsis,
    ord("i"): lambda reader, _depth: reader.integer(),
    ord("I"): lambda reader, _depth: int.from_bytes(reader.take(8), "little", signed=True),
    ord("l"): _Reader.long,
    ord("f"): lambda reader, _depth: reader.take(reader.take(1)[0]),
    ord("g"): lambda reader, _depth: reader.take(8),
    ord("x"): lambda reader, _depth: (
        reader.take(reader.take(1)[0]),
        reader.take(reader.take(1)[0]),
    ),
    ord("y"): lambda reader, _depth: reader.take(16),
    ord("a"): lambda reader, _depth: reader.string("latin-1"),
    ord("A"): lambda reader, _depth: reader.string("latin-1"),
    ord("u"): lambda reader, _depth: reader.string("utf-8"),
    ord("t"): lambda reader, _depth: reader.string("utf-8"),
    ord("("): _Reader.large_tuple,
    ord(")"): _Reader.small_tuple,
    ord("["): lambda reader, depth: list(reader.large_tuple(depth)),
    ord("{"): _Reader.dictionary,
    ord("<"): _Reader.large_tuple,
    ord(">"): _Reader.large_tuple,
    ord(":"): lambda reader, depth: slice(*reader.values(3, depth + 1)),
    ord("c"): _Reader.code,
}
