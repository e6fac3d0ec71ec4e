"""Hold two judged targets against each other: what differs, and what of it explains a failure.

Pure: two snapshots in, a `Comparison` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.compare.blame import because_of
from venvsmith.compare.frozen import holding
from venvsmith.compare.snapshot import Part, Snapshot, of_facts, of_report
from venvsmith.model.comparison import Comparison, Difference, DifferenceKind, Failure, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvsmith.model.finding import Finding

__all__ = ["Snapshot", "compare", "holding", "of_facts", "of_report"]

PARTS: tuple[tuple[DifferenceKind, str], ...] = (
    ("python", "the interpreter"),
    ("package", "packages"),
    ("library", "native libraries"),
    ("program", "programs"),
    ("variable", "environment variables"),
    ("system", "the system"),
)
FROZEN_PARTS: tuple[tuple[DifferenceKind, str], ...] = (
    ("python", "the interpreter"),
    ("module", "modules"),
    ("data", "data files"),
    ("metadata", "metadata"),
    ("library", "native libraries"),
)


def compare(a: Snapshot, b: Snapshot) -> Comparison:
    """Return what differs between two targets, the environment in use of each."""
    differences: list[Difference] = []
    lacking: dict[str, list[str]] = {}
    wanted = a.wanted | b.wanted
    for kind, words in FROZEN_PARTS if a.frozen or b.frozen else PARTS:
        left, right = a.parts.get(kind), b.parts.get(kind)
        if left is None or right is None:
            lacking.setdefault((a if left is None else b).why_not, []).append(words)
            continue
        differences.extend(
            one
            for one in _differences(kind, left, right)
            if kind != "library" or one.name in wanted
        )
    failures = (
        *_failures("b", b.findings, a.findings, differences),
        *_failures("a", a.findings, b.findings, differences),
    )
    theirs = {_key(finding) for finding in b.findings}
    return Comparison(
        schema="venvsmith/compare/1",
        a=a.name,
        b=b.name,
        same=not differences and not failures,
        differences=tuple(differences),
        failures=failures,
        shared=tuple(
            f.message
            for f in a.findings
            if f.root and f.severity == "error" and f.ignored is None and _key(f) in theirs
        ),
        not_compared=tuple(f"{', '.join(words)}: {why}" for why, words in lacking.items()),
    )


def _differences(kind: DifferenceKind, a: Part, b: Part) -> Iterator[Difference]:
    for name in sorted({**a, **b}):
        if a.get(name) != b.get(name):
            yield Difference(kind=kind, name=name, a=a.get(name), b=b.get(name))


def _key(finding: Finding) -> tuple[str, str]:
    """Return what makes two findings the same: the rule, and its subject without folders."""
    return finding.rule, finding.subject.rpartition("/")[2]


def _failures(
    side: Side,
    mine: Sequence[Finding],
    theirs: Sequence[Finding],
    differences: Sequence[Difference],
) -> Iterator[Failure]:
    there: Mapping[tuple[str, str], Finding] = {_key(f): f for f in theirs}
    for finding in mine:
        if finding.severity == "info" or not finding.root or finding.ignored is not None:
            continue
        other = there.get(_key(finding))
        if other is not None and other.severity == finding.severity:
            continue
        follow = [mine[index] for index in finding.explains if index < len(mine)]
        yield Failure(
            side=side,
            rule=finding.rule,
            severity=finding.severity,
            subject=finding.subject,
            message=finding.message,
            fix=finding.fix,
            because=because_of(finding, follow, side, differences),
            explains=len(follow),
        )
