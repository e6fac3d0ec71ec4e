"""What lies in an archive, read by position: as it is stored, or inflated as far as it is read.

Whatever a table claims, a reader holds some megabytes and no more.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from venvsmith.collect.probe.tree import Handle
from venvsmith.errors import UnsafeInputError

PIECE = 64 * 1024
"""Compressed bytes that are read at once."""
PAGE = 128 * 1024
"""Inflated bytes that are kept or given up together."""
PAGES = 256
"""How many of them are kept: those that were asked for, or passed, last."""
APART = 128
"""Pages between two places from which inflating can go on again."""
RETURNS = 1000
"""How often one may be returned to; a library of 1 GB takes some ten returns."""
RATIO = 100
"""How many times its compressed length code may have: 17 in what is known; zlib can 1032."""


class Stored(Handle):
    """An entry that is not compressed.

    :param offset: where it begins in the file.
    """

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        super().__init__(descriptor, size)
        self._offset = offset

    def pread(self, count: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset."""
        return os.pread(self._fd, max(0, min(count, self.size - offset)), self._offset + offset)

    def close(self) -> None:
        """Leave the file open: it is the archive's."""


class Inflated(Handle):
    """A compressed entry, inflated as far as it is read.

    What was asked for or passed last is kept. For what lies behind and is not, inflating begins
    again from the nearest of some places on the way.

    :param offset: where its compressed bytes begin in the file, and ``length`` how many they are.
    :param size: bytes that it has when inflated.
    :param where: what an error names.
    """

    def __init__(self, descriptor: int, offset: int, length: int, size: int, where: str) -> None:
        super().__init__(descriptor, size)
        self._offset = offset
        self._length = length
        self._where = where
        self._next = self._read = self._returns = 0
        self._stream = zlib.decompressobj()
        self._kept = [(0, self._stream.copy())]
        self._pages: dict[int, bytes] = {}

    def pread(self, count: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset.

        :raises UnsafeInputError: where the data are cut off or do not decompress.
        """
        end = min(offset + count, self.size)
        found: list[bytes] = []
        while offset < end:
            page, at = divmod(offset, PAGE)
            found.append(self._page(page)[at : at + end - offset])
            offset += len(found[-1])
        return b"".join(found)

    def _page(self, number: int) -> bytes:
        page = self._pages.pop(number, None)
        if page is None and number < self._next:
            self._return_for(number)
        while page is None:
            at, page = self._next, self._inflate()
            if at < number:
                self._keep(at, page)
                page = None
        self._keep(number, page)
        return page

    def _keep(self, number: int, page: bytes) -> None:
        self._pages[number] = page
        if len(self._pages) > PAGES:
            del self._pages[next(iter(self._pages))]

    def _return_for(self, number: int) -> None:
        self._returns += 1
        if self._returns > RETURNS:
            raise over(f"is read back and forth more than {RETURNS} times", self._where)
        self._next = number - number % APART
        self._read, stream = self._kept[self._next // APART]
        self._stream = stream.copy()

    def _inflate(self) -> bytes:
        """Return the next page."""
        parts = []
        left = min(PAGE, self.size - self._next * PAGE)
        try:
            while left:
                parts.append(self._stream.decompress(self._piece(), left))
                left -= len(parts[-1])
        except zlib.error as exc:
            raise malformed(f"does not decompress: {exc}", self._where) from exc
        self._next += 1
        if self._next == len(self._kept) * APART:
            self._kept.append((self._read, self._stream.copy()))
        return b"".join(parts)

    def _piece(self) -> bytes:
        """Return compressed bytes: what is left of those that were read, or the next ones."""
        if self._stream.unconsumed_tail:
            return self._stream.unconsumed_tail
        size = min(PIECE, self._length - self._read)
        piece = os.pread(self._fd, size, self._offset + self._read)
        if not piece or self._stream.eof:
            raise malformed("the compressed data end early", self._where)
        self._read += len(piece)
        return piece

    def close(self) -> None:
        """Leave the file open: it is the archive's."""
        self._pages.clear()


def inflate(data: bytes, limit: int, *, where: str) -> bytes:
    """Decompress a zlib stream of at most ``limit`` bytes, and `RATIO` times its own.

    :raises UnsafeInputError: where it is longer, cut off or no zlib stream.
    """
    limit = min(limit, RATIO * len(data))
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, limit + 1)
    except zlib.error as exc:
        raise malformed(f"does not decompress: {exc}", where) from exc
    if len(found) > limit:
        raise over(f"decompresses to more than {limit} bytes", where)
    if not stream.eof:
        raise malformed("the compressed data end early", where)
    return found


def pread(descriptor: int, offset: int, size: int, path: Path, what: str) -> bytes:
    """Return exactly so many bytes.

    :param what: how an error calls them.
    :raises UnsafeInputError: where the file ends before.
    """
    data = os.pread(descriptor, size, offset)
    if len(data) != size:
        raise malformed(f"{what} is cut off: {len(data)} of {size} bytes", str(path))
    return data


def malformed(message: str, where: str) -> UnsafeInputError:
    """Return the error for an archive that is not as PyInstaller writes it."""
    return UnsafeInputError(
        message,
        where=where,
        hint="freeze the application again, or copy the file again",
        code="bundle-malformed",
    )


def over(message: str, where: str) -> UnsafeInputError:
    """Return the error for what has more of something than any application."""
    return UnsafeInputError(message, where=where, code="limit-exceeded")
