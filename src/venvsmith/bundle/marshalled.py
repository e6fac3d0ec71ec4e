"""Marshalled data read as data: no code object is made, nothing is executed, everything bounded.

`marshal.loads` is documented as unsafe for data from elsewhere. The format is that of CPython's
`Python/marshal.c`, versions 2 to 4 (Python 3.8 to 3.13).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 200
"""Levels of nesting: of functions in functions, or of constants in constants."""
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
        return reader.value(0)
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError, TypeError) as exc:
        raise MarshalError(f"at byte {reader.at}: {exc}") from exc


def read_code(data: bytes, python: tuple[int, int]) -> Code:
    """Return a marshalled code object.

    :raises MarshalError: where the data are something else.
    """
    code = read_marshal(data, python)
    if not isinstance(code, Code):
        raise MarshalError("no code object")
    return code


class _Reader:
    __slots__ = ("at", "data", "new", "refs")

    def __init__(self, data: bytes, python: tuple[int, int]) -> None:
        self.data = data
        self.at = 0
        self.refs: list[Any] = []
        self.new = python >= NEW_LAYOUT

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise MarshalError(f"nested deeper than {MAX_DEPTH}")
        data = self.data
        tag = data[self.at]
        self.at += 1
        kind = tag & 0x7F
        if kind in _SHORT:
            size = data[self.at]
            self.at += 1
            found: Any = self.take(size).decode("latin-1")
        elif kind in _STRINGS:
            found = self.take(self.length()).decode(_STRINGS[kind], "surrogatepass")
        elif kind in _READ:
            if tag & _FLAG_REF and kind in _CONTAINERS:
                slot = len(self.refs)
                self.refs.append(None)
                found = self.refs[slot] = _READ[kind](self, depth)
                return found
            found = _READ[kind](self, depth)
        else:
            raise MarshalError(f"at byte {self.at - 1}: unknown type {chr(kind)!r}")
        if tag & _FLAG_REF:
            self.refs.append(found)
        return found

    def take(self, size: int) -> bytes:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise MarshalError(f"at byte {self.at}: {size} bytes are wanted, and the data end")
        found = self.data[self.at : end]
        self.at = end
        return found

    def length(self) -> int:
        (size,) = _UINT.unpack_from(self.data, self.at)
        self.at += 4
        # Every element takes a byte at least.
        if size > len(self.data) - self.at:
            raise MarshalError(f"at byte {self.at}: {size} elements are wanted, and the data end")
        return int(size)

    def integer(self) -> int:
        (number,) = _INT.unpack_from(self.data, self.at)
        self.at += 4
        return int(number)

    def tuple_(self, size: int, depth: int) -> tuple[Any, ...]:
        """Read elements; references and short names, nearly all of them, without a call each."""
        value, data, refs = self.value, self.data, self.refs
        depth += 1
        found = []
        for _ in range(size):
            at = self.at
            tag = data[at]
            if tag == _REFERENCE:
                (index,) = _index_at(data, at + 1)
                self.at = at + 5
                found.append(refs[index])
            elif tag in _SHORT_KEPT:
                end = self.at = at + 2 + data[at + 1]
                text = data[at + 2 : end].decode("latin-1")
                if end > len(data):
                    raise MarshalError(f"at byte {at}: the data end")
                refs.append(text)
                found.append(text)
            elif tag == _NONE:
                self.at = at + 1
                found.append(None)
            elif tag == _BYTES:
                self.at = at + 1
                found.append(self.take(self.length()))
            else:
                found.append(value(depth))
        return tuple(found)

    def small_tuple(self, depth: int) -> tuple[Any, ...]:
        size = self.data[self.at]
        self.at += 1
        return self.tuple_(size, depth)

    def large_tuple(self, depth: int) -> tuple[Any, ...]:
        return self.tuple_(self.length(), depth)

    def dictionary(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while True:
            key = self.value(depth + 1)
            if key is _NULL:
                return found
            found[key] = self.value(depth + 1)

    def reference(self, _depth: int) -> Any:
        (index,) = _UINT.unpack_from(self.data, self.at)
        self.at += 4
        return self.refs[index]

    def long(self, _depth: int) -> int:
        count = self.integer()
        digits = self.take(2 * abs(count))
        number = sum(
            int.from_bytes(digits[at : at + 2], "little") << (15 * (at // 2))
            for at in range(0, min(len(digits), 64), 2)
        )
        return -number if count < 0 else number

    def code(self, depth: int) -> Code:
        self.at += 16 if self.new else 20  # four or five counts of arguments and the stack
        self.integer()  # flags
        # The code; kinds of the variables, or the free ones (and the bound ones); the file's name.
        fields = self.tuple_(8, depth)
        code, consts, names = fields[:3]
        name = fields[6 if self.new else 7]
        self.integer()  # its first line
        lines, exceptions = self.tuple_(2, depth) if self.new else (self.value(depth + 1), b"")
        whole = isinstance(code, bytes) and isinstance(lines, bytes) and isinstance(name, str)
        tables = isinstance(consts, tuple) and set(map(type, names)) <= {str}
        if not (whole and tables and isinstance(exceptions, bytes)):
            raise MarshalError(f"at byte {self.at}: a code object that is none")
        return Code(name, code, consts, names, exceptions)


_index_at = _UINT.unpack_from
_REFERENCE, _NONE, _BYTES = b"rNs"
_SHORT_KEPT = frozenset((ord("z") | _FLAG_REF, ord("Z") | _FLAG_REF))
_NULL = object()
_SHORT = frozenset(b"zZ")
_STRINGS = {ord("a"): "latin-1", ord("A"): "latin-1", ord("u"): "utf-8", ord("t"): "utf-8"}
_CONTAINERS = frozenset(b"()[{<>c")
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
    ord("s"): lambda reader, _depth: reader.take(reader.length()),
    ord("r"): _Reader.reference,
    ord("("): _Reader.large_tuple,
    ord(")"): _Reader.small_tuple,
    ord("["): lambda reader, depth: list(reader.large_tuple(depth)),
    ord("{"): _Reader.dictionary,
    ord("<"): _Reader.large_tuple,
    ord(">"): _Reader.large_tuple,
    ord("c"): _Reader.code,
}
