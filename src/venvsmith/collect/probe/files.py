"""RECORD against the disk: hashes, links, owners, permissions."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from typing import Any, Callable, Dict, List, NamedTuple, Set, Tuple

from . import forks
from .dists import Installed, Row
from .tree import Fact, Stat, Tree

CHUNK = 1024 * 1024
MAX_LISTED = 200
"""Problems of one kind that are told of a distribution; more are counted."""
CODE = re.compile(r"\.(py|so)(\.[\d.]+)?$")
DISPENSABLE = re.compile(
    r"/(tests?|docs?|examples?|benchmarks?|include|share|__pycache__)(/|$)"
    r"|\.(pyc|pyi|pyx|pxd|h|hpp|c|cpp|cu|cuh|md|rst|txt|html|a|typed)$"
    r"|\.(dist|egg)-info/"
)
"""What slimming a finished environment removes without harm: tests, headers, stubs, papers."""
FILE_COST = 150_000
"""What opening a file costs, in bytes hashed meanwhile: balances many small files and few large."""
BYTECODE = (".pyc", ".pyo")


Hashes = Dict[Tuple[str, str], Tuple[str, str]]
"""Path and algorithm of a file to its kind and its digest, or why it has none."""


class Found(NamedTuple):
    """What a walk over site-packages met."""

    files: Dict[str, Stat]
    links: Dict[str, str]
    unreadable: List[str]


def walk(tree: Tree, site: str) -> Found:
    """Return all files and links below a site-packages folder."""
    files: Dict[str, Stat] = {}
    links: Dict[str, str] = {}
    unreadable: List[str] = []
    top = tree.real(site)
    for folder, entries in tree.walk(top, unreadable):
        shown = site + folder[len(top) :]
        for name, info in entries:
            path = shown + "/" + name
            if stat.S_ISREG(info.mode):
                files[path] = info
                if not tree.user.may(info, 4):
                    unreadable.append(path)
            elif stat.S_ISLNK(info.mode):
                links[path] = tree.raw_readlink(folder + "/" + name)
            elif stat.S_ISDIR(info.mode) and not tree.user.may(info, 5):
                unreadable.append(path)
    return Found(files, links, list(dict.fromkeys(unreadable)))


def broken_links(tree: Tree, links: Dict[str, str]) -> List[Fact]:
    """Return those links that lead nowhere."""
    found = []
    for path, link in sorted(links.items()):
        kind = tree.kind(path)
        if kind in ("missing", "loop"):
            found.append({"path": path, "link": link, "kind": kind})
    return found[:1000]


class Hashing:
    """The hashes of all files that RECORDs name, computed in forked processes."""

    def __init__(
        self, tree: Tree, installed: List[Installed], more: List[Row], *, workers: int
    ) -> None:
        """Start to hash.

        :param more: what else is to be hashed; a file is read once for each algorithm.
        """
        wanted: Dict[Tuple[str, str], Row] = {(row.path, row.algorithm): row for row in more}
        for item in installed:
            for row in item.rows:
                if row.digest and row.algorithm in hashlib.algorithms_available:
                    wanted[row.path, row.algorithm] = row
        rows = sorted(wanted.values())
        weights = [row.size + FILE_COST for row in rows]
        self._workers = [
            forks.Worker(_job(tree, share)) for share in forks.spread(rows, weights, workers)
        ]

    def result(self) -> Hashes:
        """Return what came of hashing.

        :raises forks.WorkerError: where a worker died.
        """
        found: Hashes = {}
        for worker in self._workers:
            for path, algorithm, kind, text in json.loads(worker.result()):
                found[path, algorithm] = (kind, text)
        return found


def _job(tree: Tree, rows: List[Row]) -> Callable[[], bytes]:
    def work() -> bytes:
        buffer = bytearray(CHUNK)
        found = [(row.path, row.algorithm, *_hash(tree, row, buffer)) for row in rows]
        return json.dumps(found).encode()

    return work


def _hash(tree: Tree, row: Row, buffer: bytearray) -> Tuple[str, str]:
    try:
        with tree.open(row.path) as handle:
            digest = hashlib.new(row.algorithm)
            handle.digest_into(digest, buffer)
    except FileNotFoundError:
        info = tree.lstat(row.path)
        if info is not None and stat.S_ISLNK(info.mode):
            return "dangling-link", ""
        return "missing", ""
    except NotADirectoryError:
        return "missing", ""
    except (OSError, ValueError, TypeError) as exc:
        return "unreadable", getattr(exc, "strerror", None) or str(exc)
    return "ok", base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def record_problems(installed: List[Installed], hashes: Hashes, tree: Tree) -> None:
    """Add to each distribution what its RECORD says and the disk does not.

    Bytecode that is gone is no problem: the interpreter makes it anew. Code comes first and what is
    dispensable last, so that only the least is cut off where there is much.
    """
    for item in installed:
        problems = item.fact.get("record_problems", [])
        problems += filter(None, (_problem(row, hashes, tree) for row in item.rows))
        for problem in problems:
            below = problem["path"][len(item.fact["location"].rstrip("/")) :]
            problem["dispensable"] = bool(DISPENSABLE.search(below))
        problems.sort(key=lambda p: (p["dispensable"], not CODE.search(p["path"])))
        item.fact["record_problems"], item.fact["record_problems_cut"] = _cut(problems)


def _cut(problems: List[Fact]) -> Tuple[List[Fact], Dict[str, int]]:
    """Return the first problems of each kind, and how many more there are."""
    listed: List[Fact] = []
    seen: Dict[str, int] = {}
    for problem in problems:
        kind = problem["kind"]
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= MAX_LISTED:
            listed.append(problem)
    return listed, {k: number - MAX_LISTED for k, number in seen.items() if number > MAX_LISTED}


def _problem(row: Row, hashes: Hashes, tree: Tree) -> Any:
    if row.path.endswith(BYTECODE):
        return None
    if row.path.endswith(".py") and tree.lstat(row.path) is None and tree.is_file(row.path + "c"):
        return None  # the bytecode stands in the source's place, and imports as well
    kind, text = hashes.get((row.path, row.algorithm), ("", ""))
    if not kind:
        info = tree.lstat(row.path)
        if info is None:
            kind = "missing"
        elif stat.S_ISLNK(info.mode) and tree.kind(row.path) in ("missing", "loop"):
            kind = "dangling-link"
    elif kind == "ok" and text != row.digest:
        kind, text = "hash-mismatch", f"{row.algorithm}={text}"
    if kind in ("", "ok"):
        return None
    return {"path": row.path, "kind": kind, "detail": text}


def overlaps(installed: List[Installed], hashes: Hashes) -> List[Fact]:
    """Return the files that several distributions claim with different content."""
    claims: Dict[str, Dict[str, Row]] = {}
    for item in installed:
        for row in item.rows:
            if row.digest and not row.path.endswith(BYTECODE):
                claims.setdefault(row.path, {})[item.fact["name"]] = row
    found = []
    for path, rows in sorted(claims.items()):
        if len({(row.algorithm, row.digest) for row in rows.values()}) < 2:
            continue
        found.append({
            "path": path,
            "distributions": sorted(rows),
            "matches": sorted(
                name for name, row in rows.items()
                if hashes.get((path, row.algorithm)) == ("ok", row.digest)
            ),
        })  # fmt: skip
    return found[:2000]


def unowned_inits(site: str, installed: List[Installed], found: Found) -> List[str]:
    """Return each ``__init__.py`` without an owner in a folder that distributions share.

    Shared is a folder in which several distributions have files and none has an ``__init__.py``:
    a namespace, which such a file turns into the package of one.
    """
    users: Dict[str, Set[str]] = {}
    owned = set()
    start = site.rstrip("/") + "/"
    for item in installed:
        for row in item.rows:
            if not row.path.startswith(start):
                continue
            owned.add(row.path)
            folder = os.path.dirname(row.path)
            while len(folder) > len(start):
                names = users.setdefault(folder, set())
                if item.fact["name"] in names:
                    break
                names.add(item.fact["name"])
                folder = os.path.dirname(folder)
    return sorted(
        path for path in found.files
        if path.endswith("/__init__.py") and path not in owned
        and len(users.get(os.path.dirname(path), ())) > 1
    )  # fmt: skip
