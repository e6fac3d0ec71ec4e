"""What images in files have in common: JSON read strictly, layers held against their digests."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import tempfile
import zlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .layers import LayerTree
from .tar import RefusedError, Source
from .tree import Fact

DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
JSON_LIMIT = 4 * 1024 * 1024
LAYER_LIMIT = 64 * 1024**3
TOTAL_LIMIT = 256 * 1024**3
CHUNK = 1024 * 1024


class Image(NamedTuple):
    """An opened image: its tree, its configuration as `model.facts.ImageConfig`, its identity."""

    tree: LayerTree
    config: Fact
    digest: Optional[str]
    platform: str


def open_file(path: str) -> int:
    """Open a regular file that is no link and return its descriptor."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not os.path.isfile(path):
        os.close(fd)
        raise RefusedError("malformed", f"{path}: not a regular file")
    return fd


def parse(data: bytes, where: str) -> Any:
    """Return a JSON value; duplicate keys, depth and everything else unsound is refused."""

    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise RefusedError("ambiguous", f"{where}: a key stands twice")
        return found

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as exc:
        raise RefusedError("malformed", f"{where}: {exc}") from exc


def table_of(value: Any, where: str) -> Dict[str, Any]:
    """Return a value that must be a JSON object."""
    if not isinstance(value, dict):
        raise RefusedError("malformed", f"{where}: not a table")
    return value


def rows_of(value: Any, where: str) -> List[Dict[str, Any]]:
    """Return a value that must be a JSON array of objects."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RefusedError("malformed", f"{where}: not a list of tables")
    return value


def platform_of(table: Dict[str, Any]) -> str:
    """Return a platform as docker writes it, ``linux/arm64/v8``."""
    variant = f"/{table['variant']}" if table.get("variant") else ""
    return f"{table.get('os', 'linux')}/{table.get('architecture', '')}{variant}"


def diff_ids(config: Dict[str, Any], count: int) -> List[str]:
    """Return the digests of the unpacked layers, which must be as many as the layers."""
    ids = table_of(config.get("rootfs"), "the configuration's rootfs").get("diff_ids")
    if not isinstance(ids, list) or not all(DIGEST.match(str(item)) for item in ids):
        raise RefusedError("malformed", "the configuration's diff_ids are no digests")
    if len(ids) != count:
        raise RefusedError("malformed", f"{count} layers, but {len(ids)} diff_ids")
    return [str(item) for item in ids]


def unpacked(source: Source, diff: str, where: str, digest: Optional[str]) -> Source:
    """Return a layer as a plain tar, after its digests were checked to the last byte.

    Judged by its content, not by its name: a plain tar, or gzip of any number of members.
    """
    head = source.pread(6, 0)
    if head[:4] == b"\x28\xb5\x2f\xfd":
        raise RefusedError("unsupported", f"{where}: compressed with zstd")
    packed, plain = hashlib.sha256(), hashlib.sha256()
    if head[:2] != b"\x1f\x8b":
        for offset in range(0, source.size, CHUNK):
            packed.update(source.pread(CHUNK, offset))
        _same(packed.hexdigest(), digest, where)
        _same(packed.hexdigest(), diff, where)
        return source
    for offset in range(0, source.size, CHUNK):
        packed.update(source.pread(CHUNK, offset))
    _same(packed.hexdigest(), digest, where)
    with tempfile.TemporaryFile() as file:
        size = 0
        try:
            with gzip.GzipFile(fileobj=_Reader(source)) as stream:  # type: ignore[call-overload]
                while True:
                    data = stream.read(CHUNK)
                    if not data:
                        break
                    size += len(data)
                    if size > LAYER_LIMIT:
                        raise RefusedError(
                            "limit-exceeded", f"{where}: more than {LAYER_LIMIT} bytes"
                        )
                    plain.update(data)
                    file.write(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
            raise RefusedError("malformed", f"{where}: {exc}") from exc
        file.flush()
        _same(plain.hexdigest(), diff, where)
        return Source(os.dup(file.fileno()))


def _same(found: str, wanted: Optional[str], where: str) -> None:
    if wanted is not None and "sha256:" + found != wanted:
        raise RefusedError(
            "digest-mismatch", f"{where}: its content is sha256:{found}, not {wanted}"
        )


class _Reader:
    """A source as a file object that is read from its start on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._offset = 0

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes."""
        count = self._source.size if count < 0 else count
        data = self._source.pread(count, self._offset)
        self._offset += len(data)
        return data


def image_config(config: Dict[str, Any]) -> Fact:
    """Return an image's configuration as `model.facts.ImageConfig`."""
    start = table_of(config.get("config") or {}, "the configuration's config")
    pairs = (str(text).partition("=") for text in start.get("Env") or ())
    history = rows_of(config.get("history") or [], "the configuration's history")
    return {
        "user": str(start.get("User") or ""),
        "env": {name: value for name, _, value in pairs},
        "workdir": str(start.get("WorkingDir") or "/"),
        "entrypoint": [str(word) for word in start.get("Entrypoint") or ()],
        "cmd": [str(word) for word in start.get("Cmd") or ()],
        "volumes": sorted(str(path) for path in start.get("Volumes") or ()),
        "history": [str(item.get("created_by", "")) for item in history],
        "os": str(config.get("os") or "linux"),
        "architecture": str(config.get("architecture") or ""),
    }
