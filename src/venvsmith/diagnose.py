"""Which finding explains which: the order in which to mend.

Each rule says which other findings follow from its own (`Rule.explains`). That makes a graph;
what nothing else explains is a root. Roots stand in the order in which to mend them, each with
its consequences behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from venvsmith.model.finding import RANK
from venvsmith.rules.framework.follows import EVERY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.rule import Rule

GROUND = {"3": 0, "4": 1, "6": 2, "8": 2, "2": 3, "9": 3, "5": 4, "7": 5, "1": 6}
"""How near to the ground a family of rules stands, by the first digit of its codes: what lies
lower is mended first where two roots explain equally much."""


@dataclass(frozen=True, slots=True)
class _Root:
    index: int
    reach: frozenset[int]


def diagnose(
    findings: Sequence[Finding],
    rules: Sequence[Rule],
    contexts: Sequence[Context],
    ignore: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Return the findings in the order of mending, with ``root``, ``explains`` and ``ignored`` set.

    :param contexts: those that the rules ran with, the target's own among them.
    :param ignore: rule names (or codes) to the reason for which their findings do not count.
    """
    ignore = ignore or {}
    counted = [f for f in findings if f.rule not in ignore and f.code not in ignore]
    left_out = [
        replace(f, ignored=ignore.get(f.rule, ignore.get(f.code)))
        for f in findings
        if f.rule in ignore or f.code in ignore
    ]
    edges = _edges(counted, rules, contexts)
    roots = _roots(counted, edges)
    return (*_lay_out(counted, roots), *left_out)


def _edges(
    findings: Sequence[Finding], rules: Sequence[Rule], contexts: Sequence[Context]
) -> list[set[int]]:
    by_name = {rule.name: rule for rule in rules}
    by_path = {c.environment.path if c.environment is not None else "": c for c in contexts}
    groups: dict[tuple[str, str], list[int]] = {}
    for index, finding in enumerate(findings):
        groups.setdefault((finding.rule, finding.environment), []).append(index)
    edges: list[set[int]] = [set() for _ in findings]
    for (name, here), mine in groups.items():
        rule = by_name[name]
        for (other, there), theirs in groups.items():
            claimed = rule.claims is EVERY or other in rule.claims
            if not claimed or (here != there and here and there):
                continue
            ctx = by_path[here or there]
            for i, j in product(mine, theirs):
                if i != j and rule.explains(findings[i], findings[j], ctx):
                    edges[i].add(j)
    return edges


def _order(finding: Finding) -> tuple[int, int, str, str, int, str]:
    return (
        RANK[finding.severity],
        GROUND.get(finding.code[2:3], 9),
        finding.code,
        finding.environment,
        int(finding.evidence.get("line") or 0),  # of a Dockerfile, from top to bottom
        finding.subject,
    )


def _roots(findings: Sequence[Finding], edges: Sequence[set[int]]) -> list[_Root]:
    targets = set().union(*edges)
    starts = [i for i in range(len(findings)) if i not in targets]
    seen: set[int] = set()
    roots: list[_Root] = []
    while True:
        for start in starts:
            reach = _reach(start, edges)
            seen |= {start, *reach}
            roots.append(_Root(start, frozenset(reach)))
        rest = [i for i in range(len(findings)) if i not in seen]
        if not rest:
            return roots
        # Only findings that explain one another are left: the lowest of them stands for all.
        starts = [min(rest, key=lambda i: _order(findings[i]))]


def _reach(start: int, edges: Sequence[set[int]]) -> set[int]:
    reach: set[int] = set()
    stack = list(edges[start])
    while stack:
        index = stack.pop()
        if index not in reach and index != start:
            reach.add(index)
            stack.extend(edges[index])
    return reach


def _lay_out(findings: Sequence[Finding], roots: Sequence[_Root]) -> list[Finding]:
    root_indices = {root.index for root in roots}

    def weight(root: _Root) -> tuple[int, int, tuple[int, int, str, str, int, str]]:
        worst = min(RANK[findings[i].severity] for i in (root.index, *root.reach))
        heavy = sum(RANK[findings[i].severity] == 0 for i in root.reach)
        return worst, -heavy, _order(findings[root.index])

    placed: dict[int, int] = {}
    ordered = sorted(roots, key=weight)
    for root in ordered:
        placed.setdefault(root.index, len(placed))
        for index in sorted(root.reach - root_indices, key=lambda i: _order(findings[i])):
            placed.setdefault(index, len(placed))
    reach_of = {root.index: root.reach for root in ordered}
    return [_placed(findings[index], reach_of.get(index), findings, placed) for index in placed]


def _placed(
    finding: Finding,
    reach: frozenset[int] | None,
    findings: Sequence[Finding],
    placed: Mapping[int, int],
) -> Finding:
    if reach is None:
        return replace(finding, root=False, explains=())
    # What surely breaks something is as grave as what it breaks.
    worst = min((finding, *(findings[i] for i in reach)), key=lambda f: RANK[f.severity]).severity
    return replace(
        finding, severity=worst, root=True, explains=tuple(sorted(placed[i] for i in reach))
    )
