"""A venv against the lists of files that its layers brought: ``.venvsmith/tree/*.txt``.

RECORDs cover what wheels hold; these lists cover all of it: bytecode, scripts, links, and what
was added later. `steps/normalise.py` writes them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from typing import Any, Dict, List, NamedTuple, Set

from .dists import Row
from .files import MAX_LISTED, Found, Hashes
from .tree import Fact, Stat, Tree

HOME = "/.venvsmith"
LIST_LIMIT = 64 * 1024 * 1024
DIGITS = 32
PARTS = 4


class Entry(NamedTuple):
    """What a list says of one path."""

    kind: str
    mode: str
    digest: str


class Built(NamedTuple):
    """The lists of one venv, the later layer's word over the earlier one's."""

    venv: str
    layers: Dict[str, str]
    entries: Dict[str, Entry]
    problem: str


def read(tree: Tree, venv: str) -> Any:
    """Return the `Built` of a venv, or None where its builder left no lists."""
    names = _layers(tree.text(venv + HOME + "/manifest.json"))
    if not names:
        return None
    found = Built(venv, {}, {}, "")
    for name in names:
        data = tree.read(f"{venv}{HOME}/tree/{name}.txt", LIST_LIMIT)
        if data is None:
            return found._replace(problem=f"the list of what layer {name} brought is missing")
        found.layers[name] = "sha256:" + hashlib.sha256(data).hexdigest()
        for line in data.decode("utf-8", "backslashreplace").split("\n")[:-1]:
            parts = line.split(" ", PARTS - 1)
            if len(parts) != PARTS or parts[0] not in ("f", "l") or len(parts[2]) != DIGITS:
                return found._replace(problem=f"the list of layer {name} is damaged")
            if ".." in parts[3].split("/") or parts[3].startswith("/"):
                return found._replace(problem=f"the list of layer {name} leads out of the venv")
            found.entries[f"{venv}/{parts[3]}"] = Entry(*parts[:3])
    return found


def _layers(manifest: Any) -> List[str]:
    try:
        names = json.loads(manifest or "")["layers"]
    except (ValueError, KeyError, TypeError):
        return []
    good = isinstance(names, list) and all(isinstance(n, str) and "/" not in n for n in names)
    return names if good else []


def rows(built: Built) -> List[Row]:
    """Return the files to hash; what a RECORD asks to be hashed too is hashed once."""
    return [Row(p, "sha256", e.digest, 0) for p, e in built.entries.items() if e.kind == "f"]


def compare(
    tree: Tree,
    built: Built,
    walks: Dict[str, Found],
    hashes: Hashes,
) -> Fact:
    """Return `model.facts.BuiltTree`.

    :param walks: what lies in each site folder, walked already.
    """
    fact: Fact = {"layers": built.layers, "problem": built.problem}
    if built.problem:
        return fact
    seen: Dict[str, Stat] = {}
    links: Dict[str, str] = {}
    for walked in walks.values():
        seen.update(walked.files)
        links.update(walked.links)
    _walk_rest(tree, built.venv, set(walks), seen, links)
    found = [
        {"path": path, "kind": kind}
        for path in sorted({*built.entries, *seen, *links})
        for kind in [_difference(path, built.entries.get(path), seen, links, hashes)]
        if kind
    ]
    fact["difference_count"] = len(found)
    fact["differences"] = found[:MAX_LISTED]
    return fact


def _difference(
    path: str,
    entry: Any,
    seen: Dict[str, Stat],
    links: Dict[str, str],
    hashes: Hashes,
) -> str:
    if entry is None:
        return "added"
    if entry.kind == "l":
        if path not in links:
            return "changed" if path in seen else "removed"
        target = hashlib.sha256(links[path].encode("utf-8", "surrogateescape")).hexdigest()
        return "" if target[:DIGITS] == entry.digest else "changed"
    if path not in seen:
        return "changed" if path in links else "removed"
    kind, text = hashes.get((path, "sha256"), ("", ""))
    if kind == "ok" and base64.urlsafe_b64decode(text + "=").hex()[:DIGITS] != entry.digest:
        return "changed"
    return "" if "%o" % stat.S_IMODE(seen[path].mode) == entry.mode else "mode"


def _walk_rest(
    tree: Tree, venv: str, walked: Set[str], seen: Dict[str, Stat], links: Dict[str, str]
) -> None:
    """Add what lies outside the site folders; what has been walked is not walked again."""
    pending = [""]
    top = tree.real(venv)
    while pending:
        below = pending.pop()
        if below == HOME or venv + below in walked:
            continue
        try:
            entries = tree.raw_scan(top + below)
        except OSError:
            continue
        for name, info in entries:
            path = f"{venv}{below}/{name}"
            if stat.S_ISDIR(info.mode):
                pending.append(f"{below}/{name}")
            elif stat.S_ISLNK(info.mode):
                links[path] = tree.raw_readlink(f"{top}{below}/{name}")
            elif stat.S_ISREG(info.mode):
                seen[path] = info
