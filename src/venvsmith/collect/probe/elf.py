"""A bounded reader of ELF files: what decides whether a loader takes them.

Reads by position through the program headers alone, as the loader does; section headers are used
only to find strings. Sources: the System V gABI, and the GNU extensions as glibc's elf.h has them.
"""

from __future__ import annotations

import os
import re
import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

from .tree import Fact, Handle

MACHINES = {3: "i686", 21: "ppc64le", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64",
            243: "riscv64", 258: "loongarch64"}  # fmt: skip
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 1, 4, 5, 6, 10
DT_SONAME, DT_RPATH, DT_RUNPATH = 14, 15, 29
DT_GNU_HASH, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFEF5, 0x6FFFFFFC, 0x6FFFFFFD
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
WIDE, WEAK = 2, 2
SHORTEST = 52
MAX_HEADERS = 512
MAX_DYNAMIC = 64 * 1024
MAX_STRINGS = 64 * 1024 * 1024
MAX_STRING = 64 * 1024
MAX_ENTRIES = 20000
MAX_SYMBOLS = 2_000_000
FOREIGN = {
    b"\xcf\xfa\xed\xfe": "Mach-O",
    b"\xce\xfa\xed\xfe": "Mach-O",
    b"\xca\xfe\xba\xbe": "Mach-O",
    b"MZ": "Windows PE",
}
EXTENSION = re.compile(r"^(?P<stem>\w+)(?P<tag>\.(cpython-|abi3|pypy)[^/]*)?\.so$")


class ElfError(Exception):
    """The file is not an ELF file, or not a sound one."""


class Segment(NamedTuple):
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


class Symbol(NamedTuple):
    """A dynamic symbol."""

    name: str
    defined: bool
    weak: bool


class ElfFile:
    """An open ELF file; raises `ElfError` for whatever does not fit together."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        head = handle.pread(64, 0)
        for magic, name in FOREIGN.items():
            if head.startswith(magic):
                raise ElfError(f"{name}, not ELF")
        if len(head) < SHORTEST or head[:4] != b"\x7fELF":
            raise ElfError("not ELF")
        if head[4] not in (1, 2) or head[5] not in (1, 2):
            raise ElfError("unknown ELF class or byte order")
        self.bits = 32 * head[4]
        self.wide = head[4] == WIDE
        self._order = "<" if head[5] == 1 else ">"
        form = "HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH"
        if len(head) < 16 + struct.calcsize(self._order + form):
            raise ElfError("truncated header")
        fields = struct.unpack_from(self._order + form, head, 16)
        self.machine = MACHINES.get(fields[1], f"em{fields[1]}")
        if self.machine == "ppc64le" and self._order == ">":
            self.machine = "ppc64"
        self._sections = (fields[5], fields[11], fields[12])
        self.segments = self._read_segments(fields[4], fields[8], fields[9])
        self.dynamic = self._read_dynamic()
        self._strings: Optional[bytes] = None

    def _bytes(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0 or offset + size > self._handle.size:
            raise ElfError(f"truncated: {size} bytes at {offset} of {self._handle.size}")
        data = self._handle.pread(size, offset)
        if len(data) != size:
            raise ElfError("short read")
        return data

    def _unpack(self, form: str, data: bytes, offset: int = 0) -> Tuple[int, ...]:
        try:
            return struct.unpack_from(self._order + form, data, offset)
        except struct.error as exc:
            raise ElfError(str(exc)) from exc

    def _read_segments(self, offset: int, size: int, count: int) -> List[Segment]:
        form = "IIQQQQQQ" if self.wide else "IIIIIIII"
        if count > MAX_HEADERS or (count and size != struct.calcsize(self._order + form)):
            raise ElfError("unsound program headers")
        data = self._bytes(offset, size * count)
        found = []
        for index in range(count):
            row = self._unpack(form, data, index * size)
            if self.wide:
                found.append(Segment(row[0], row[1], row[2], row[3], row[5]))
            else:
                found.append(Segment(row[0], row[6], row[1], row[2], row[4]))
        return found

    def _read_dynamic(self) -> List[Tuple[int, int]]:
        segment = next((item for item in self.segments if item.kind == PT_DYNAMIC), None)
        if segment is None:
            return []
        form, step = ("qQ", 16) if self.wide else ("iI", 8)
        size = min(segment.size, MAX_DYNAMIC)
        data = self._bytes(segment.offset, size)
        found = []
        for offset in range(0, size - step + 1, step):
            tag, value = self._unpack(form, data, offset)
            if tag == 0:
                break
            found.append((tag & 0xFFFFFFFF if not self.wide else tag, value))
        return found

    def offset_of(self, address: int) -> int:
        """Return where in the file a loaded address comes from."""
        for item in self.segments:
            if item.kind == PT_LOAD and item.address <= address < item.address + item.size:
                return address - item.address + item.offset
        raise ElfError(f"address {address:#x} lies in no segment")

    def one(self, tag: int) -> Optional[int]:
        """Return the value of a dynamic tag, or None."""
        return next((value for key, value in self.dynamic if key == tag), None)

    def string(self, index: int) -> str:
        """Return a string of the dynamic string table."""
        if self._strings is not None:
            end = self._strings.find(b"\0", index)
            text = self._strings[index:end] if index >= 0 and end >= 0 else None
        else:
            text = self._short_string(index)
        if text is None:
            raise ElfError("string out of bounds")
        return text.decode("utf-8", "backslashreplace")

    def _string_table(self) -> Tuple[int, int]:
        address, size = self.one(DT_STRTAB), self.one(DT_STRSZ)
        if address is None or size is None or size > MAX_STRINGS:
            raise ElfError("no sound string table")
        return self.offset_of(address), size

    def strings(self) -> bytes:
        """Return the dynamic string table: the names of all that it has and wants."""
        return self._bytes(*self._string_table())

    def _short_string(self, index: int) -> Optional[bytes]:
        offset, size = self._string_table()
        for length in (128, MAX_STRING):
            data = self._handle.pread(max(0, min(length, size - index)), offset + index)
            end = data.find(b"\0")
            if end >= 0:
                return data[:end]
        return None

    def strings_of(self, tag: int) -> List[str]:
        """Return the strings that all entries of a dynamic tag name."""
        return [self.string(value) for key, value in self.dynamic if key == tag]

    def interp(self) -> Optional[str]:
        """Return the program interpreter of an executable."""
        for item in self.segments:
            if item.kind == PT_INTERP:
                return (
                    self._bytes(item.offset, min(item.size, 4096))
                    .rstrip(b"\0")
                    .decode("utf-8", "backslashreplace")
                )
        return None

    def execstack(self) -> bool:
        """Return whether it asks for an executable stack."""
        return any(item.kind == PT_GNU_STACK and item.flags & 1 for item in self.segments)

    def verneed(self) -> Dict[str, List[str]]:
        """Return the symbol versions that are wanted of each library."""
        address, count = self.one(DT_VERNEED), self.one(DT_VERNEEDNUM) or 0
        wanted: Dict[str, List[str]] = {}
        if address is None:
            return wanted
        offset = self.offset_of(address)
        for _ in range(min(count, MAX_ENTRIES)):
            _, number, name, first, following = self._unpack("HHIII", self._bytes(offset, 16))
            names = wanted.setdefault(self.string(name), [])
            at = offset + first
            for _ in range(min(number, MAX_ENTRIES)):
                row = self._unpack("IHHII", self._bytes(at, 16))
                names.append(self.string(row[3]))
                if row[4] == 0:
                    break
                at += row[4]
            if following == 0:
                break
            offset += following
        return wanted

    def verdef(self) -> List[str]:
        """Return the symbol versions that it defines, without its own name."""
        address, count = self.one(DT_VERDEF), self.one(DT_VERDEFNUM) or 0
        defined: List[str] = []
        if address is None:
            return defined
        offset = self.offset_of(address)
        for _ in range(min(count, MAX_ENTRIES)):
            _, flags, _, _, _, first, following = self._unpack("HHHHIII", self._bytes(offset, 20))
            if not flags & 1:
                defined.append(self.string(self._unpack("II", self._bytes(offset + first, 8))[0]))
            if following == 0:
                break
            offset += following
        return defined

    def exports(self, name: str) -> bool:
        """Return whether it defines a symbol, looked up as the loader does."""
        wanted = name.encode()
        table = self.one(DT_GNU_HASH)
        if table is not None:
            return self._in_gnu_hash(self.offset_of(table), wanted)
        return any(symbol.defined and symbol.name == name for symbol in self.symbols())

    def _symbol(self, index: int) -> Symbol:
        table = self.one(DT_SYMTAB)
        if table is None:
            raise ElfError("no symbol table")
        size = 24 if self.wide else 16
        return self._symbol_row(self._bytes(self.offset_of(table) + index * size, size))

    def _in_gnu_hash(self, offset: int, name: bytes) -> bool:
        buckets, first, bloom, _ = self._unpack("IIII", self._bytes(offset, 16))
        if not buckets:
            return False
        value = 5381
        for byte in name:
            value = (value * 33 + byte) & 0xFFFFFFFF
        at = offset + 16 + bloom * (self.bits // 8)
        index = self._unpack("I", self._bytes(at + 4 * (value % buckets), 4))[0]
        if index < first:
            return False
        chain = at + 4 * buckets
        for _ in range(MAX_ENTRIES):
            link = self._unpack("I", self._bytes(chain + 4 * (index - first), 4))[0]
            if link | 1 == value | 1:
                symbol = self._symbol(index)
                if symbol.defined and symbol.name.encode() == name:
                    return True
            if link & 1:
                return False
            index += 1
        return False

    def symbols(self) -> List[Symbol]:
        """Return the dynamic symbols.

        The table's length is not stored: it is read up to the string table, which follows it in
        what every known linker writes, or as DT_HASH counts it.
        """
        table, strings = self.one(DT_SYMTAB), self.one(DT_STRTAB)
        hashed = self.one(DT_HASH)
        size = 24 if self.wide else 16
        if table is None or strings is None:
            return []
        if hashed is not None:
            count = self._unpack("II", self._bytes(self.offset_of(hashed), 8))[1]
        elif strings > table:
            count = (strings - table) // size
        else:
            raise ElfError("symbol table of unknown length")
        data = self._bytes(self.offset_of(table), min(count, MAX_SYMBOLS) * size)
        self._strings = self.strings()
        return [self._symbol_row(data, offset) for offset in range(size, len(data), size)]

    def _symbol_row(self, data: bytes, offset: int = 0) -> Symbol:
        name = self._unpack("I", data, offset)[0]
        info, _, section = self._unpack("BBH", data, offset + (4 if self.wide else 12))
        return Symbol(self.string(name), section != 0, info >> 4 == WEAK)

    def section(self, wanted: str, limit: int) -> bytes:
        """Return the content of a section by name, up to a limit; empty where there is none."""
        offset, count, names = self._sections
        size = 64 if self.wide else 40
        if not count or count > MAX_ENTRIES or names >= count:
            return b""
        data = self._bytes(offset, size * count)
        rows = [self._section_row(data, index * size) for index in range(count)]
        table = self._bytes(rows[names][1], min(rows[names][2], 1024 * 1024))
        key = wanted.encode()
        for name, at, length in rows:
            if table[name : table.find(b"\0", name)] == key:
                return self._bytes(at, min(length, limit))
        return b""

    def _section_row(self, data: bytes, offset: int) -> Tuple[int, int, int]:
        if self.wide:
            row = self._unpack("IIQQQQ", data, offset)
        else:
            row = self._unpack("IIIIII", data, offset)
        return row[0], row[4], row[5]


def describe(path: str, handle: Handle) -> Fact:
    """Return the facts of a file as `model.facts.Elf`; `error` where it is not sound."""
    fact: Fact = {"path": path, "machine": ""}
    try:
        _fill(fact, ElfFile(handle), os.path.basename(path))
    except (ElfError, OSError, ValueError, OverflowError, struct.error) as exc:
        fact["error"] = str(exc) or type(exc).__name__
    return fact


def _fill(fact: Fact, elf: ElfFile, name: str) -> None:
    fact.update(machine=elf.machine, interp=elf.interp())
    fact["execstack"] = elf.execstack()
    fact["needed"] = elf.strings_of(DT_NEEDED)
    fact["soname"] = next(iter(elf.strings_of(DT_SONAME)), None)
    fact["rpath"] = [part for text in elf.strings_of(DT_RPATH) for part in text.split(":") if part]
    fact["runpath"] = [
        part for text in elf.strings_of(DT_RUNPATH) for part in text.split(":") if part
    ]
    fact["verneed"] = elf.verneed()
    fact["verdef"] = elf.verdef()
    match = EXTENSION.match(name)
    if match and elf.dynamic:
        found = elf.exports("PyInit_" + match.group("stem"))
        fact["exports_init"] = found if match.group("tag") or found else None
