"""OCI layouts: an index, manifests, and blobs that are named by their digests."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Optional, Tuple

from .images import (
    DIGEST,
    JSON_LIMIT,
    LAYER_LIMIT,
    TOTAL_LIMIT,
    Image,
    diff_ids,
    image_config,
    open_file,
    parse,
    platform_of,
    rows_of,
    table_of,
    unpacked,
)
from .layers import LayerTree
from .tar import RefusedError, Source
from .tree import Fact

REF_NAME = "org.opencontainers.image.ref.name"


class Layout:
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
        fd = open_file(f"{self._folder}/blobs/sha256/{digest[7:]}")
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
        return table_of(parse(data, digest), digest)

    def index(self) -> Dict[str, Any]:
        """Return the layout's index."""
        path = f"{self._folder}/index.json"
        fd = open_file(path)
        with os.fdopen(fd, "rb") as file:
            data = file.read(JSON_LIMIT + 1)
        if len(data) > JSON_LIMIT:
            raise RefusedError("limit-exceeded", f"{path}: more than {JSON_LIMIT} bytes")
        return table_of(parse(data, "index.json"), "index.json")


def open_layout(asked: Fact) -> Image:
    """Open the image that a request names in an OCI layout; see `archive.open_image`."""
    layout = Layout(asked["path"])
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
    config = layout.json(table_of(manifest.get("config"), "the manifest's config"))
    descriptors = rows_of(manifest["layers"], "the manifest's layers")
    diffs = diff_ids(config, len(descriptors))
    tree = LayerTree()
    total = 0
    for descriptor, diff in zip(descriptors, diffs):
        fd, digest = layout.blob(descriptor, LAYER_LIMIT)
        source = unpacked(Source(fd), diff, digest, digest)
        total += source.size
        if total > TOTAL_LIMIT:
            raise RefusedError("limit-exceeded", f"the layers hold more than {TOTAL_LIMIT} bytes")
        tree.add_layer(source, digest[:19])
    return Image(tree, image_config(config), chosen["digest"], platform_of(config))


def _manifests(index: Dict[str, Any], where: str) -> List[Dict[str, Any]]:
    found = rows_of(index.get("manifests"), f"{where}: manifests")
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
    names = [platform_of(item.get("platform") or {}) for item in found]
    if wanted is not None:
        found = [item for item, name in zip(found, names) if name == wanted]
    if len(found) != 1:
        raise RefusedError("usage", f"{len(found)} images fit, of the platforms {', '.join(names)}")
    return found[0]
