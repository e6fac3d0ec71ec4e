"""What happened when things ran, joined to what the files say. Files win."""

from __future__ import annotations

import os
from typing import Set

from . import python
from .environment import Place
from .tree import Fact, Tree


def bare(tree: Tree, place: Place) -> Fact:
    """Return an environment of which no more than the interpreter could be read."""
    return {
        "path": place.path, "kind": place.kind, "interpreter": python.describe(tree, place.python)
    }  # fmt: skip


def combine(env: Fact, outcome: Fact) -> None:
    """Add what happened when things ran to what the files say."""
    interpreter = env.setdefault("interpreter", None)
    if interpreter is not None:
        interpreter["run"] = outcome["run"]
    env["imports"] = [_judge_namespace(env, result) for result in outcome["imports"]]
    env["commands"] = outcome["commands"]
    torch = outcome["torch"]
    if torch is not None:
        env["torch"] = torch
        env["cuda_available"] = torch.pop("available", None)


def _judge_namespace(env: Fact, result: Fact) -> Fact:
    """Call a namespace package imported where it is meant to be one: files, and no lost init."""
    paths = result.pop("paths", ())
    if result["status"] != "namespace":
        return result
    lost: Set[str] = set()
    used = False
    for dist in env.get("distributions", ()):
        lost.update(problem["path"] for problem in dist.get("record_problems", ()))
        used = used or result["module"].split(".")[0] in dist.get("top_level", ())
    lost.update(link["path"] for link in env.get("broken_links", ()))
    inits = [f"{path}/__init__.py" for path in paths]
    holds = any(_holds_modules(path) for path in paths)
    if used and holds and not any(init in lost for init in inits):
        result["status"] = "ok"
    return result


def _holds_modules(path: str, depth: int = 3) -> bool:
    """Return whether a folder holds a module, itself or in its folders."""
    try:
        with os.scandir(path) as found:
            entries = list(found)
    except OSError:
        return False
    if any(entry.name.endswith((".py", ".so")) and entry.is_file() for entry in entries):
        return True
    return depth > 0 and any(
        entry.is_dir() and entry.name != "__pycache__" and _holds_modules(entry.path, depth - 1)
        for entry in entries
    )
