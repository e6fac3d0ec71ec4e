"""Modules that stand before others of their name: the user's own folders come first."""

from __future__ import annotations

import os
import re
from typing import Dict, Iterable, List

from .discover import Start, which
from .tree import Fact, Tree

MODULE = re.compile(r"^([A-Za-z_]\w*)(?:\.(?:cpython-|abi3)[\w-]*)?\.(?:py|so)$")
FROZEN = frozenset(
    {"abc", "codecs", "encodings", "genericpath", "io", "os", "posixpath", "site", "stat",
     "sys", "builtins", "sitecustomize", "usercustomize", "marshal", "time", "zipimport",
     "importlib", "_collections_abc"}
)  # fmt: skip
"""Loaded before any folder of the user's is on the path."""
SCRIPT_LIMIT = 64 * 1024
MAX_FOUND = 100


def first_folders(start: Start) -> List[str]:
    """Return the folders before the standard library: the working one, and PYTHONPATH's."""
    poison = start.env.get("PYTHONPATH", "").split(":")
    safe = start.env.get("PYTHONSAFEPATH", "")
    folders = [] if safe else [start.workdir]
    return [f.rstrip("/") or "/" for f in [*folders, *poison] if f.startswith("/")]


def shadows(
    tree: Tree, start: Start, stdlib: str, sites: Iterable[str], tops: Iterable[str]
) -> List[Fact]:
    """Return `model.facts.Shadow` for each module there that is named as one of theirs.

    :param tops: import names of the installed distributions.
    """
    theirs: Dict[str, str] = dict.fromkeys(tops, "distribution")
    theirs.update(dict.fromkeys(modules(tree, stdlib), "stdlib"))
    own = {tree.real(folder) for folder in [stdlib, *sites] if tree.is_dir(folder)}
    found: List[Fact] = []
    for folder in dict.fromkeys(first_folders(start)):
        if not tree.is_dir(folder) or tree.real(folder) in own:
            continue
        for name, path in sorted(modules(tree, folder).items()):
            if name in theirs and name not in FROZEN:
                found.append({"path": path, "module": name, "hides": theirs[name]})
    return found[:MAX_FOUND]


def modules(tree: Tree, folder: str) -> Dict[str, str]:
    """Return the modules and packages directly in a folder, with their paths."""
    found: Dict[str, str] = {}
    for name in tree.names(folder):
        path = f"{folder.rstrip('/')}/{name}"
        match = MODULE.match(name)
        if match:
            found[match.group(1)] = path
        elif name.isidentifier() and tree.is_file(path + "/__init__.py"):
            found[name] = path
    return found


def start_script(tree: Tree, start: Start) -> "str | None":
    """Return the text of the script that the target starts, or its first line for no shell's."""
    words = list(start.argv[:2])
    if words and os.path.basename(words[0]) in ("sh", "bash", "dash", "ash", "tini", "dumb-init"):
        words = words[1:]
    if not words:
        return None
    path = words[0]
    if "/" in path and not path.startswith("/"):
        path = start.workdir.rstrip("/") + "/" + path
    found = path if path.startswith("/") else which(tree, path, start.path)
    text = tree.text(found, SCRIPT_LIMIT) if found and tree.is_file(found) else None
    head = (text or "").split("\n", 1)[0]
    if not head.startswith("#!"):
        return None
    return text if re.search(r"\b(ba|da|a)?sh\b", head) else head


def start_missing(tree: Tree, start: Start) -> "Fact":
    """Return the program that the target starts, and what of it is not there.

    As ``start_program`` and ``start_missing`` of `model.facts.System`.
    """
    if not start.argv:
        return {}
    word = start.argv[0]
    path = word if word.startswith("/") else which(tree, word, start.path)
    if "/" in word and not word.startswith("/"):
        path = start.workdir.rstrip("/") + "/" + word
    if path is None or tree.kind(path) in ("missing", "loop"):
        return {"start_program": path or word, "start_missing": path or word}
    head = (tree.read(path, 512) or b"").split(b"\n", 1)[0]
    fact: Fact = {"start_program": path}
    if head.startswith(b"#!"):
        words = head[2:].decode("utf-8", "backslashreplace").strip(" \t").split(" ")
        if words[0].startswith("/") and tree.kind(words[0]) in ("missing", "loop"):
            fact["start_missing"] = words[0]
    return fact
