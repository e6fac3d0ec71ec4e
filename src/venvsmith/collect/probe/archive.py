"""Images that lie in files: OCI layouts, ``docker save`` archives, exported root filesystems.

All blobs are checked against its digest and its size; the bytes that are hashed are the bytes that
are read. What is compressed is unpacked into an unnamed temporary file, which no end of this
process leaves behind.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import subprocess
import tempfile
import zlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from . import tar
from .layers import LayerTree
from .tar import RefusedError, Source
from .tree import Fact

DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
JSON_LIMIT = 4 * 1024 * 1024
LAYER_LIMIT = 64 * 1024**3
TOTAL_LIMIT = 256 * 1024**3
CHUNK = 1024 * 1024
REF_NAME = "org.opencontainers.image.ref.name"


class Image(NamedTuple):
    """An opened image: its tree, its configuration as `model.facts.ImageConfig`, its identity."""

    tree: LayerTree
    config: Fact
    digest: Optional[str]
    platform: str


def open_image(asked: Fact) -> Image:
    """Open what a request's ``archive`` names: ``kind``, ``path``, maybe ``tag``, ``platform``.

    :raises RefusedError: where it cannot be judged safely, or does not say which image is meant.
    """
    opener = {"oci": _open_layout, "docker-archive": _open_saved, "stream": _open_stream}
    try:
        return opener[asked["kind"]](asked)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefusedError("disk-full", f"{tempfile.gettempdir()}: {exc.strerror}") from exc
        name = exc.filename or asked.get("path", "")
        raise RefusedError("malformed", f"{name}: {exc.strerror or exc}") from exc


def _open_stream(asked: Fact) -> Image:
    """Open the root filesystem that a command writes as a plain tar."""
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(
            asked["argv"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            text = done.stderr.decode("utf-8", "backslashreplace").strip()
            raise RefusedError("engine-failed", text or "the engine wrote no root filesystem")
        tree = LayerTree()
        tree.add_layer(Source(os.dup(file.fileno())), "the exported root")
    return Image(tree, dict(asked["config"]), None, "")


def _open(path: str) -> int:
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


def _table(value: Any, where: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError("malformed", f"{where}: not a table")
    return value


def _rows(value: Any, where: str) -> List[Dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RefusedError("malformed", f"{where}: not a list of tables")
    return value


# OCI layouts


class _Layout:
    """The blobs of an OCI layout, each read once and held against its digest."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def blob(self, descriptor: Dict[str, Any], limit: int) -> Tuple[int, str]:
        """Open a blob whose size is right; return a descriptor and the digest it must have."""
        digest, size = descriptor.get("digest"), descriptor.get("size")
        if not isinstance(digest, str) or not DIGEST.match(digest):
            raise RefusedError("unsupported", f"a digest {str(digest)[:100]!r}")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise RefusedError("malformed", f"{digest}: a size of {size!r}")
        if size > limit:
            raise RefusedError("limit-exceeded", f"{digest}: {size} bytes, at most {limit}")
        if descriptor.get("urls"):
            raise RefusedError("unsupported", f"{digest}: it lies elsewhere, and is not fetched")
        fd = _open(f"{self._folder}/blobs/sha256/{digest[7:]}")
        actual = os.fstat(fd).st_size
        if actual != size:
            raise RefusedError("digest-mismatch", f"{digest}: {actual} bytes instead of {size}")
        return fd, digest

    def json(self, descriptor: Dict[str, Any]) -> Dict[str, Any]:
        """Return a blob's JSON."""
        fd, digest = self.blob(descriptor, JSON_LIMIT)
        with os.fdopen(fd, "rb") as file:
            data = file.read()
        found = "sha256:" + hashlib.sha256(data).hexdigest()
        if found != digest:
            raise RefusedError("digest-mismatch", f"{digest}: its content is {found}")
        return _table(parse(data, digest), digest)

    def index(self) -> Dict[str, Any]:
        """Return the layout's index."""
        path = f"{self._folder}/index.json"
        fd = _open(path)
        with os.fdopen(fd, "rb") as file:
            data = file.read(JSON_LIMIT + 1)
        if len(data) > JSON_LIMIT:
            raise RefusedError("limit-exceeded", f"{path}: more than {JSON_LIMIT} bytes")
        return _table(parse(data, "index.json"), "index.json")


def _open_layout(asked: Fact) -> Image:
    layout = _Layout(asked["path"])
    chosen = _choose_tag(_manifests(layout.index(), "index.json"), asked.get("tag"))
    for _ in range(4):
        manifest = layout.json(chosen)
        if "layers" in manifest and "manifests" in manifest:
            raise RefusedError("ambiguous", f"{chosen['digest']}: a manifest and an index in one")
        if "layers" in manifest:
            break
        chosen = _choose_platform(_manifests(manifest, chosen["digest"]), asked)
    else:
        raise RefusedError("limit-exceeded", "indexes that lead to indexes")
    config = layout.json(_table(manifest.get("config"), "the manifest's config"))
    descriptors = _rows(manifest["layers"], "the manifest's layers")
    diffs = _diff_ids(config, len(descriptors))
    tree = LayerTree()
    total = 0
    for descriptor, diff in zip(descriptors, diffs):
        fd, digest = layout.blob(descriptor, LAYER_LIMIT)
        source = unpacked(Source(fd), diff, digest, digest)
        total += source.size
        if total > TOTAL_LIMIT:
            raise RefusedError("limit-exceeded", f"the layers hold more than {TOTAL_LIMIT} bytes")
        tree.add_layer(source, digest[:19])
    return Image(tree, image_config(config), chosen["digest"], _platform_of(config))


def _manifests(index: Dict[str, Any], where: str) -> List[Dict[str, Any]]:
    found = _rows(index.get("manifests"), f"{where}: manifests")
    return [item for item in found if not _is_attestation(item)]


def _is_attestation(descriptor: Dict[str, Any]) -> bool:
    notes = descriptor.get("annotations") or {}
    return isinstance(notes, dict) and "vnd.docker.reference.type" in notes


def _choose_tag(found: List[Dict[str, Any]], tag: Optional[str]) -> Dict[str, Any]:
    names = [str((item.get("annotations") or {}).get(REF_NAME, "")) for item in found]
    if tag is not None:
        matching = [
            item for item, name in zip(found, names)
            if tag in (name, name.rpartition(":")[2])
        ]  # fmt: skip
        if not matching:
            raise RefusedError(
                "no-such-target", f"no tag {tag} here, but {', '.join(names) or 'none'}"
            )
        found = matching
    if len(found) != 1:
        listed = ", ".join(name or "(untagged)" for name in names)
        raise RefusedError("usage", f"{len(found)} images here, name one: {listed}")
    return found[0]


def _choose_platform(found: List[Dict[str, Any]], asked: Fact) -> Dict[str, Any]:
    wanted = asked.get("platform")
    names = [_platform_of(item.get("platform") or {}) for item in found]
    if wanted is not None:
        found = [item for item, name in zip(found, names) if name == wanted]
    if len(found) != 1:
        raise RefusedError("usage", f"{len(found)} images fit, of the platforms {', '.join(names)}")
    return found[0]


def _platform_of(table: Dict[str, Any]) -> str:
    variant = f"/{table['variant']}" if table.get("variant") else ""
    return f"{table.get('os', 'linux')}/{table.get('architecture', '')}{variant}"


def _diff_ids(config: Dict[str, Any], count: int) -> List[str]:
    ids = _table(config.get("rootfs"), "the configuration's rootfs").get("diff_ids")
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


# docker save


def _open_saved(asked: Fact) -> Image:
    outer = Source(_open(asked["path"]))
    members: Dict[str, tar.Entry] = {}
    for entry in tar.entries(outer, os.path.basename(asked["path"])):
        if entry.path in members and entry != members[entry.path]:
            raise RefusedError("ambiguous", f"{entry.path} is in the archive twice")
        members[entry.path] = entry
    if "/manifest.json" not in members:
        raise RefusedError("unsupported", "an archive without manifest.json")
    rows = _rows(parse(_member(outer, members, "manifest.json"), "manifest.json"), "manifest.json")
    row = _choose_saved(rows, asked.get("tag"))
    layers = row.get("Layers")
    if not isinstance(layers, list):
        raise RefusedError("malformed", "manifest.json: no list of layers")
    text = _member(outer, members, str(row.get("Config")))
    config = _table(parse(text, "the configuration"), "the configuration")
    tree = LayerTree()
    for name, diff in zip(layers, _diff_ids(config, len(layers))):
        entry = _find(members, str(name))
        part = Source(outer.fd, entry.offset, entry.size)
        tree.add_layer(unpacked(part, diff, str(name), None), str(name)[:32])
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    return Image(tree, image_config(config), digest, _platform_of(config))


def _choose_saved(rows: List[Dict[str, Any]], tag: Optional[str]) -> Dict[str, Any]:
    tags = [[str(t) for t in row.get("RepoTags") or ()] for row in rows]
    if tag is not None:
        rows = [row for row, names in zip(rows, tags) if tag in names]
    if len(rows) != 1:
        listed = ", ".join(name for names in tags for name in names) or "untagged"
        raise RefusedError("usage", f"{len(rows)} images fit, of {listed}")
    return rows[0]


def _find(members: Dict[str, tar.Entry], name: str) -> tar.Entry:
    entry = members.get(tar.clean(name, "manifest.json"))
    if entry is not None and entry.link and not entry.size:
        folder = tar.parts_of(entry.path)[0]
        entry = members.get(os.path.normpath(os.path.join(folder, entry.link)))
    if entry is None or entry.link:
        raise RefusedError("malformed", f"the archive has no {name[:100]}")
    return entry


def _member(outer: Source, members: Dict[str, tar.Entry], name: str) -> bytes:
    entry = _find(members, name)
    if entry.size > JSON_LIMIT:
        raise RefusedError(
            "limit-exceeded", f"{name[:100]}: {entry.size} bytes, at most {JSON_LIMIT}"
        )
    return outer.pread(entry.size, entry.offset)


def image_config(config: Dict[str, Any]) -> Fact:
    """Return an image's configuration as `model.facts.ImageConfig`."""
    start = _table(config.get("config") or {}, "the configuration's config")
    pairs = (str(text).partition("=") for text in start.get("Env") or ())
    history = _rows(config.get("history") or [], "the configuration's history")
    return {
        "user": str(start.get("User") or ""),
        "env": {name: value for name, _, value in pairs},
        "workdir": str(start.get("WorkingDir") or "/"),
        "entrypoint": [str(word) for word in start.get("Entrypoint") or ()],
        "cmd": [str(word) for word in start.get("Cmd") or ()],
        "volumes": sorted(str(path) for path in start.get("Volumes") or ()),
        "labels": {str(k): str(v) for k, v in (start.get("Labels") or {}).items()},
        "history": [str(item.get("created_by", "")) for item in history],
        "os": str(config.get("os") or "linux"),
        "architecture": str(config.get("architecture") or ""),
    }
