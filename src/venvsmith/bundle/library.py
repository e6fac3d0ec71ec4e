"""The modules in ``base_library.zip``, which Python starts from, each read when it is wanted."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from venvsmith.bundle.packed import malformed, over

MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes of all code in it, which has 4 MB."""
PYC_HEADER = 16
"""Bytes before a module's marshalled code."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""What Python imports from; of others, a few bytes can be more than memory holds."""
_MALFORMED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError,
    ValueError,
)  # fmt: skip
"""What ``zipfile`` raises for files that are damaged, encrypted or of a kind it does not know."""


class Library:
    """A zip file of modules.

    :param where: what an error names.
    :ivar names: paths of its members.
    :raises UnsafeInputError: where the data are no zip file, or unpack to too much.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self._where = where
        try:
            self._file = zipfile.ZipFile(io.BytesIO(data))
        except _MALFORMED as exc:
            raise malformed(f"cannot be read: {exc}", where) from exc
        # Each is read to the size that is told here, and no further.
        if sum(info.file_size for info in self._file.infolist()) > MAX_UNPACKED:
            raise over(f"has more than {MAX_UNPACKED} bytes of code", where)
        self._members = {info.filename: info for info in self._file.infolist()}
        self.names = tuple(self._members)

    def code(self, module: str) -> bytes | None:
        """Return a module's marshalled code; None where no member brings any.

        :raises UnsafeInputError: where its member cannot be read.
        """
        path = module.replace(".", "/")
        member = self._members.get(f"{path}/__init__.pyc") or self._members.get(f"{path}.pyc")
        if member is None:
            return None
        if member.compress_type not in _METHODS:
            raise malformed(f"Python imports nothing that is packed as {path} is", self._where)
        try:
            return self._file.read(member)[PYC_HEADER:] or None
        except _MALFORMED as exc:
            raise malformed(f"{path} cannot be read: {exc}", self._where) from exc
