"""Hold two judged targets against each other: what differs, and what of it explains a failure.

Pure: two snapshots in, a `Comparison` out.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvsmith.compare.blame import Blame, speaks_of
from venvsmith.compare.frozen import holding
from venvsmith.compare.snapshot import GONE, Part, Snapshot, not_asked, of_facts, of_report
from venvsmith.model.comparison import (
    FOLDER,
    Comparison,
    Difference,
    DifferenceKind,
    Failure,
    Side,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvsmith.model.finding import Finding

__all__ = ["Snapshot", "compare", "holding", "not_asked", "of_facts", "of_report"]

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
    differences.extend(_files(a, b))
    differences.extend(_copied(a, b))
    failures = (*_failures("b", b, a, differences), *_failures("a", a, b, differences))
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
        left, right = a.get(name), b.get(name)
        if left != right and not (kind == "python" and _is_less_exact(left, right)):
            yield Difference(kind=kind, name=name, a=left, b=right)


def _is_less_exact(one: str | None, other: str | None) -> bool:
    """Tell whether both may be the same version: files alone tell no more than the minor."""
    short, long = sorted((one or "", other or ""), key=len)
    return short.count(".") == 1 and long.startswith(f"{short}.")


def _files(a: Snapshot, b: Snapshot) -> Iterator[Difference]:
    """Yield the files that one side lost, or has otherwise than they were installed."""
    for package, name in sorted({*a.harmed, *b.harmed}):
        if all(package in side.parts.get("package", ()) for side in (a, b)):
            left, right = (side.harmed.get((package, name), "") for side in (a, b))
            if left != right:
                whole = "present" if GONE in (left, right) else "as installed"
                values = [None if value == GONE else value or whole for value in (left, right)]
                yield Difference(kind="file", name=name, a=values[0], b=values[1])


def _copied(a: Snapshot, b: Snapshot) -> Iterator[Difference]:
    """Yield the folders of both, where a finding of one side speaks of the other's.

    Of two that lie in each other, a path does not tell which one it speaks of.
    """
    one, other = PurePosixPath(a.folder), PurePosixPath(b.folder)
    nested = one.is_relative_to(other) or other.is_relative_to(one)
    if (
        a.folder
        and b.folder
        and not nested
        and any(
            speaks_of(finding, theirs.folder)
            for mine, theirs in ((a, b), (b, a))
            for finding in mine.findings
        )
    ):
        yield Difference(kind="python", name=FOLDER, a=a.folder, b=b.folder)


def _key(finding: Finding) -> tuple[str, str]:
    """Return what makes two findings the same: the rule, and its subject without folders."""
    return finding.rule, finding.subject.rpartition("/")[2]


def _failures(
    side: Side,
    mine: Snapshot,
    theirs: Snapshot,
    differences: Sequence[Difference],
) -> Iterator[Failure]:
    there: Mapping[tuple[str, str], Finding] = {_key(f): f for f in theirs.findings}
    blame = Blame(mine.findings, side, differences)
    for number, finding in enumerate(mine.findings):
        if finding.severity == "info" or not finding.root or finding.ignored is not None:
            continue
        other = there.get(_key(finding))
        if other is not None and other.severity == finding.severity:
            continue
        yield Failure(
            side=side,
            rule=finding.rule,
            severity=finding.severity,
            subject=finding.subject,
            message=finding.message,
            fix=finding.fix,
            because=blame.because_of(number),
            explains=len(finding.explains),
            unchecked=theirs.why_unchecked(finding),
        )
