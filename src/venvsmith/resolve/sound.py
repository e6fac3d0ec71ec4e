"""Keeps known bad pairs out of an answer.

A resolver sees metadata alone, and some distributions break together although their metadata
allow them (`venvsmith.data.pairs`). So the answer is looked at, and where it holds such a pair the
question is asked again, bound to one row of the table after the other: the anchor's own release
first, so that only its companions move, then the others from the newest down.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from venvsmith.data.pairs import Mismatch, Pair, load_pairs, mismatches
from venvsmith.resolve.protocol import Answer, Request, Resolver, Solved, Unsolvable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def solve_sound(resolver: Resolver, request: Request) -> Answer:
    """Answer a request with versions that hold no known bad pair.

    :return: also Unsolvable where versions exist and each set of them holds a bad pair.
    :raises SurroundingsError: as the resolver does.
    """
    return _search(resolver, request, done=frozenset())


def _search(resolver: Resolver, request: Request, *, done: frozenset[str]) -> Answer:
    """Solve, and branch over the anchor of the first bad pair; ``done`` anchors are bound."""
    answer = resolver.solve(request)
    if isinstance(answer, Unsolvable):
        return answer
    wrong = list(mismatches(answer.versions()))
    if not wrong:
        return answer
    anchor = wrong[0].pair.anchor
    if anchor in done:
        return Unsolvable(explanation=_in_words(wrong, []), why="bad-pair")
    group = [pair for pair in load_pairs() if pair.anchor == anchor]
    reasons: list[str] = []
    for bounds in _branches(group, answer.versions()[anchor], request):
        attempt = _search(
            resolver,
            replace(request, constraints=(*request.constraints, *bounds)),
            done=done | {anchor},
        )
        if isinstance(attempt, Solved):
            return attempt
        reasons.append(attempt.explanation)
    return Unsolvable(explanation=_in_words(wrong, reasons), why="bad-pair")


def _branches(group: Sequence[Pair], current: str, request: Request) -> Iterator[tuple[str, ...]]:
    """Yield, for each stretch of the anchor's releases, the bounds on it and its companions."""
    anchor = group[0].anchor
    edges = sorted({edge for pair in group for row in pair.rows for edge in _edges(row.anchor)})
    own = Version(Version(current).public)
    stretches = [
        ends
        for ends in zip(edges, [*edges[1:], None], strict=True)
        if _within(own, *ends) or not _ruled_out(ends, anchor, request)
    ]
    stretches.sort(key=lambda ends: (not _within(own, *ends), [-part for part in ends[0].release]))
    for start, end in stretches:
        rows = [(pair.companion, pair.row_of(str(start))) for pair in group]
        yield (
            f"{anchor}>={start}" + (f",<{end}" if end else ""),
            *(f"{companion}{row.companion}" for companion, row in rows if row is not None),
        )


def _ruled_out(ends: tuple[Version, Version | None], anchor: str, request: Request) -> bool:
    """Tell whether the requirements on the anchor itself exclude a stretch: saves asking."""
    start, end = ends
    markers = request.environment.markers()
    for line in (*request.requirements, *request.constraints):
        wanted = Requirement(line)
        if canonicalize_name(wanted.name) != anchor:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate(markers):
            continue
        for clause in wanted.specifier:
            bound = Version(clause.version.removesuffix(".*"))
            above = end is not None and bound >= end
            if clause.operator in {">=", ">", "~=", "==", "==="} and above:
                return True
            if clause.operator in {"<", "<=", "==", "==="} and bound < start:
                return not clause.version.endswith(".*")
            if clause.operator == "<" and bound == start:
                return True
    return False


def _within(version: Version, start: Version, end: Version | None) -> bool:
    return start <= version and (end is None or version < end)


def _edges(anchor: object) -> Iterator[Version]:
    """Yield the releases at which a row's range of anchors begins and ends."""
    for clause in str(anchor).split(","):
        version = Version(clause.lstrip("=<>!~").removesuffix(".*"))
        yield version
        if clause.startswith("==") and clause.endswith(".*"):
            *head, last = version.release
            yield Version(".".join(map(str, (*head, last + 1))))


def _in_words(wrong: Sequence[Mismatch], reasons: Sequence[str]) -> str:
    """Tell the pairs, and what stands against mending them without moving the anchor."""
    pairs = "; ".join(map(str, wrong))
    first = reasons[0].partition("; ")[0] if reasons else ""
    return f"{pairs}; and with that, {first}" if first else pairs
