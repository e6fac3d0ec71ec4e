"""Archives of ``docker save``: one tar, with a manifest that names configuration and layers."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Optional

from . import tar
from .images import (
    JSON_LIMIT,
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


def open_saved(asked: Fact) -> Image:
    """Open the image that a request names in an archive; see `archive.open_image`."""
    outer = Source(open_file(asked["path"]))
    members: Dict[str, tar.Entry] = {}
    for entry in tar.entries(outer, os.path.basename(asked["path"])):
        if entry.path in members and entry != members[entry.path]:
            raise RefusedError("ambiguous", f"{entry.path} is in the archive twice")
        members[entry.path] = entry
    if "/manifest.json" not in members:
        raise RefusedError("unsupported", "an archive without manifest.json")
    rows = rows_of(
        parse(_member(outer, members, "manifest.json"), "manifest.json"), "manifest.json"
    )
    row = _choose_saved(rows, asked.get("tag"))
    layers = row.get("Layers")
    if not isinstance(layers, list):
        raise RefusedError("malformed", "manifest.json: no list of layers")
    text = _member(outer, members, str(row.get("Config")))
    config = table_of(parse(text, "the configuration"), "the configuration")
    tree = LayerTree()
    for name, diff in zip(layers, diff_ids(config, len(layers))):
        entry = _find(members, str(name))
        part = Source(outer.fd, entry.offset, entry.size)
        tree.add_layer(unpacked(part, diff, str(name), None), str(name)[:32])
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    return Image(tree, image_config(config), digest, platform_of(config))


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
