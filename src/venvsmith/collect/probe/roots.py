"""What a user of an environment imports: where the reading and the running of imports start."""

from __future__ import annotations

import re
from typing import List, Set, Tuple

from .tree import Fact

JUNK = frozenset({"tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks",
                  "scripts", "tools", "samples", "build", "dist"})  # fmt: skip


def roots_of(
    distributions: List[Fact], asked: List[str]
) -> Tuple[List[Tuple[str, bool]], Set[str]]:
    """Return where a walk starts, and the distributions whose own functions count.

    :return: pairs of a module and whether it is soft. Where nothing is asked, the modules of the
        distributions that no other one requires, all soft.
    """
    if asked:
        tops = {name.split(".")[0] for name in asked}
        own = {d["name"] for d in distributions if tops & set(d.get("top_level", ()))}
        roots = [(name, False) for name in asked]
    else:
        wanted = [requirement(text) for d in distributions for text in d.get("requires", ())]
        needed = {name for name, optional in wanted if not optional}
        leaves = [d for d in distributions if d["name"] not in needed]
        own = {d["name"] for d in leaves}
        roots = [
            (name, True) for d in leaves for name in d.get("top_level", ())
            if name not in JUNK and not name.startswith("_")
        ]  # fmt: skip
    for dist in distributions:
        if dist["name"] in own:
            roots += [
                (point["value"].split("[")[0].partition(":")[0].strip(), True)
                for point in dist.get("entry_points", ()) if point["group"] == "console_scripts"
            ]  # fmt: skip
    return roots, own


def started(distributions: List[Fact], program: str) -> List[Tuple[str, str]]:
    """Return the distribution and the module behind the program that the target starts."""
    return [
        (dist["name"], point["value"].split("[")[0].partition(":")[0].strip())
        for dist in distributions
        for point in dist.get("entry_points", ())
        if point["name"] == program and point["group"] == "console_scripts"
    ]


def requirement(text: str) -> Tuple[str, bool]:
    """Return the normalised name of a requirement, and whether only an extra asks for it."""
    head, _, marker = text.partition(";")
    match = re.match(r"\s*([A-Za-z0-9][\w.-]*)", head)
    name = re.sub(r"[-_.]+", "-", match.group(1)).lower() if match else ""
    return name, bool(re.search(r"\bextra\b", marker))
