"""Two tar streams of one layer, built twice: the first thing that differs, and its likely cause."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from itertools import zip_longest
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The first thing in which two builds of a layer differ.

    :param file: path in the image.
    :param what: what differs, with both values.
    :param cause: why, most likely.
    :param inside: whether it lies in what the file holds.
    """

    file: str
    what: str
    cause: str
    inside: bool = False


def first_difference(first: Path, second: Path) -> Difference | None:
    """Compare two tar archives entry by entry; None where all that matters is equal.

    Bytecode, RECORD and our own lists follow from other files: one of these comes first.
    """
    consequences: dict[int, Difference] = {}
    with tarfile.open(first) as one, tarfile.open(second) as other:
        for a, b in zip_longest(one, other):
            found = _of_order(a, b) or _of_header(a, b) or _of_content(one, a, other, b)
            if found is None:
                continue
            rank = _rank(found)
            if rank == 0:
                return found
            consequences.setdefault(rank, found)
    return consequences[min(consequences)] if consequences else None


def _rank(found: Difference) -> int:
    """Return how far a difference is from its cause; 0 where it may be the cause."""
    if not found.inside:
        return 0
    endings = (".pyc", ".dist-info/RECORD", ".txt")
    is_list = "/.venvsmith/tree/" in found.file
    ranks = [n for n, end in enumerate(endings, 1) if found.file.endswith(end)]
    return ranks[0] if ranks and (ranks[0] < len(endings) or is_list) else 0


def _of_order(a: tarfile.TarInfo | None, b: tarfile.TarInfo | None) -> Difference | None:
    if a is not None and b is not None and a.name == b.name:
        return None
    names = " where the other has ".join(
        f"/{x.name}" if x is not None else "nothing" for x in (a, b)
    )
    either = a or b
    return Difference(
        file=f"/{either.name}" if either is not None else "/",
        what=f"one build has {names}",
        cause="order: other files, or the same ones in another order",
    )


def _of_header(a: tarfile.TarInfo | None, b: tarfile.TarInfo | None) -> Difference | None:
    assert a is not None  # noqa: S101 - _of_order has seen to that
    assert b is not None  # noqa: S101
    for what, one, other, cause in (
        ("type", a.type, b.type, "content: another kind of file"),
        ("mode", f"{a.mode:o}", f"{b.mode:o}", "mode: the umask, or a chmod of the build"),
        ("owner", f"{a.uid}:{a.gid}", f"{b.uid}:{b.gid}", "owner: who built it"),
        ("time", a.mtime, b.mtime, "time: it was not set to the build's one time"),
        ("target", a.linkname, b.linkname, "content: the link was made otherwise"),
        ("attributes", a.pax_headers, b.pax_headers, "attributes of the file system"),
    ):
        if one != other:
            text = f"{what} {one!s} in one build, {other!s} in the other"
            return Difference(file=f"/{a.name}", what=text, cause=cause)
    return None


def _of_content(
    one: tarfile.TarFile,
    a: tarfile.TarInfo | None,
    other: tarfile.TarFile,
    b: tarfile.TarInfo | None,
) -> Difference | None:
    assert a is not None  # noqa: S101
    assert b is not None  # noqa: S101
    left, right = one.extractfile(a) if a.isfile() else None, other.extractfile(b)
    if left is None or right is None:
        return None
    at, said = _first_byte(left, right)
    if at < 0:
        return None
    if a.name.endswith(".pyc"):
        cause = "bytecode: of other sources, or by another interpreter or hash seed"
    else:
        cause = (
            "content: written by a build from source, or by an installer that notes time or path"
        )
    return Difference(file=f"/{a.name}", what=f"byte {at}: {said}", cause=cause, inside=True)


def _first_byte(left: IO[bytes], right: IO[bytes]) -> tuple[int, str]:
    """Return the offset of the first byte that differs, and what is there; -1 where none does."""
    start = 0
    while True:
        one, other = left.read(CHUNK), right.read(CHUNK)
        if one == other:
            if not one:
                return -1, ""
            start += len(one)
            continue
        at = next(
            (n for n, (x, y) in enumerate(zip(one, other, strict=False)) if x != y),
            min(len(one), len(other)),
        )
        return (
            start + at,
            f"{one[at : at + 16]!r} in one build, {other[at : at + 16]!r} in the other",
        )
