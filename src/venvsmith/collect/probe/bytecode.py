"""Cached bytecode that an interpreter would run although its source says otherwise."""

from __future__ import annotations

import importlib.util
import re
import struct
import sys
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from .tree import Fact, Stat, Tree

# The magic numbers of the final releases, from CPython's importlib/_bootstrap_external.py.
MAGICS = {"3.8": 3413, "3.9": 3425, "3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571,
          "3.14": 3627}  # fmt: skip
CACHED = re.compile(r"^(?P<stem>[^/]+)\.(?P<tag>cpython-\d+t?)\.pyc$")
HASHED, CHECKED = 1, 2
HEADER = 16
SOURCE_LIMIT = 32 * 1024 * 1024
SIPHASH_CHANGED = (3, 11)
"""From here on hashes of sources are SipHash-1-3, before it SipHash-2-4."""


class Outcome(NamedTuple):
    """What the caches of an environment came to."""

    stale: List[Fact]
    unjudged: int
    """Hash-based caches that only the target's own version could check."""


def magic_of(minor: str) -> Optional[bytes]:
    """Return the magic number of a minor version's bytecode, or None where it is not known."""
    if minor == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return importlib.util.MAGIC_NUMBER
    number = MAGICS.get(minor)
    return None if number is None else struct.pack("<H", number) + b"\r\n"


def judge(tree: Tree, files: Dict[str, Stat], minor: str) -> Outcome:
    """Return what an interpreter of a minor version would do with the caches among these files."""
    magic = magic_of(minor)
    tag = "cpython-" + minor.replace(".", "")
    stale: List[Fact] = []
    unjudged = 0
    for path, source in _caches(files, tag):
        head = tree.read(path, HEADER) or b""
        if source is None:
            if magic is not None and head[:4] != magic:
                stale.append({"path": path, "source": "", "reason": "bad-magic"})
            continue
        if len(head) < HEADER or (magic is not None and head[:4] != magic):
            continue  # compiled anew at each start: slower, no wrong code
        flags = struct.unpack_from("<I", head, 4)[0]
        if flags & HASHED and not flags & CHECKED:
            same = _same_hash(tree, source, head, minor)
            unjudged += same is None
            if same is False:
                stale.append({"path": path, "source": source, "reason": "unchecked-hash"})
    return Outcome(stale[:500], unjudged)


def _caches(files: Dict[str, Stat], tag: str) -> Iterable[Tuple[str, Optional[str]]]:
    """Yield what the interpreter would load: caches with a source, and bytecode that has none."""
    for path in files:
        if not path.endswith(".pyc"):
            continue
        folder, _, name = path.rpartition("/")
        if folder.endswith("/__pycache__"):
            match = CACHED.match(name)
            source = f"{folder[: -len('/__pycache__')]}/{match.group('stem')}.py" if match else ""
            if match and match.group("tag") == tag and source in files:
                yield path, source
        elif f"{folder}/{name[:-1]}" not in files:
            yield path, None


def _same_hash(tree: Tree, source: str, head: bytes, minor: str) -> Optional[bool]:
    """Return whether a source has the hash in its cache; None where this version cannot tell."""
    number = tuple(int(part) for part in minor.split("."))
    if (number >= SIPHASH_CHANGED) != (sys.version_info[:2] >= SIPHASH_CHANGED):
        return None
    data = tree.read(source, SOURCE_LIMIT)
    if data is None:
        return None
    import _imp  # noqa: PLC0415 - CPython's own; other interpreters have no such caches

    key = int.from_bytes(head[:4], "little")
    return bool(_imp.source_hash(key, data) == head[8:16])
