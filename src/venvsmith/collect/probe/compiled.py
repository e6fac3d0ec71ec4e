"""The modules that lie in an interpreter itself, where no file of theirs shows them."""

from __future__ import annotations

import os
import re
import struct
from typing import FrozenSet, List, Optional

from . import system
from .elf import ElfError, ElfFile
from .tree import Fact, Tree

INIT = re.compile(rb"PyInit_(\w+)\0")
NAMELESS = frozenset({
    "__main__", "_frozen_importlib", "_frozen_importlib_external", "_warnings", "builtins",
    "marshal", "sys",
})  # fmt: skip
"""In every interpreter, though no function of theirs is called ``PyInit_``."""
POSSIBLE = NAMELESS | frozenset({
    "_abc", "_ast", "_asyncio", "_bisect", "_blake2", "_bz2", "_codecs", "_codecs_cn", "_codecs_hk",
    "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw", "_collections", "_contextvars",
    "_crypt", "_csv", "_ctypes", "_curses", "_curses_panel", "_datetime", "_dbm", "_decimal",
    "_elementtree", "_functools", "_gdbm", "_hashlib", "_heapq", "_hmac", "_imp", "_interpchannels",
    "_interpqueues", "_interpreters", "_io", "_json", "_locale", "_lsprof", "_lzma", "_md5",
    "_multibytecodec", "_multiprocessing", "_opcode", "_operator", "_peg_parser", "_pickle",
    "_posixshmem", "_posixsubprocess", "_queue", "_random", "_remote_debugging", "_sha1", "_sha2",
    "_sha256", "_sha3", "_sha512", "_signal", "_socket", "_sqlite3", "_sre", "_ssl", "_stat",
    "_statistics", "_string", "_struct", "_suggestions", "_symtable", "_sysconfig", "_thread",
    "_tkinter", "_tokenize", "_tracemalloc", "_types", "_typing", "_uuid", "_weakref",
    "_xxinterpchannels", "_xxsubinterpreters", "_zoneinfo", "_zstd", "array", "atexit", "audioop",
    "binascii", "cmath", "errno", "faulthandler", "fcntl", "gc", "grp", "itertools", "math", "mmap",
    "nis", "ossaudiodev", "parser", "posix", "pwd", "pyexpat", "readline", "resource", "select",
    "spwd", "syslog", "termios", "time", "unicodedata", "xxlimited", "xxlimited_35", "xxsubtype",
    "zlib",
})  # fmt: skip
"""What some build of some version has in itself: not told as missing where that is unknown."""


def inside(elf: ElfFile) -> FrozenSet[str]:
    """Return the modules that an interpreter, or its library, brings in itself.

    Each has a function that the file names; a build that hides them all gives an empty set.

    :raises ElfError: where its strings cannot be read.
    """
    found = frozenset(name.decode() for name in INIT.findall(elf.strings()))
    return found | NAMELESS if "_imp" in found else frozenset()


def built_in(tree: Tree, interpreter: Fact) -> Optional[FrozenSet[str]]:
    """Return the modules in an interpreter of a target, or None where its binary does not say.

    :param interpreter: its `model.facts.Interpreter`.
    """
    end = interpreter.get("resolves_to")
    binary = interpreter.get("elf") or {}
    if not end or binary.get("error"):
        return None
    libraries = [name for name in binary.get("needed", ()) if name.startswith("libpython")]
    for path in [end, *(f"{d}/{n}" for n in libraries for d in _folders(tree, end, binary))]:
        try:
            with tree.open(path) as handle:
                found = inside(ElfFile(handle))
        except (ElfError, OSError, ValueError, struct.error):
            continue
        if found:
            return found
    return None


def _folders(tree: Tree, end: str, binary: Fact) -> List[str]:
    """Return where the library of an interpreter lies: where it says, beside it, or as any."""
    here = os.path.dirname(end)
    said = [*binary.get("rpath", ()), *binary.get("runpath", ())]
    folders = [text.replace("${ORIGIN}", here).replace("$ORIGIN", here) for text in said]
    folders += [f"{os.path.dirname(here)}/{lib}" for lib in ("lib", "lib64")]
    return [*folders, *system.loader_folders(tree, binary.get("machine", ""))]
