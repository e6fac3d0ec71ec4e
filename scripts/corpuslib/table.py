"""The score: a table for people, and whether it is good enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from corpuslib.score import Result

_ENOUGH = 0.95
_PEERS = ("import", "pip check", "uv pip check")


def passed(results: Sequence[Result]) -> bool:
    """Tell whether the first finding is right often enough and nothing healthy was blamed."""
    counts = _counts(results)
    broken = [r for r in results if r.kind == "broken"]
    right = counts["broken", "right"]
    whole = not any(r.problem for r in results)
    calm = counts["healthy", "alarm"] + counts["healthy", "failed"] == 0
    return whole and calm and right >= _ENOUGH * len(broken)


def _counts(results: Sequence[Result]) -> Counter[tuple[str, str]]:
    return Counter((r.kind, r.verdict.outcome) for r in results if r.verdict)


def render(results: Sequence[Result], *, scored: bool) -> str:
    """Return the table as Markdown."""
    broken = [r for r in results if r.kind == "broken"]
    healthy = [r for r in results if r.kind == "healthy"]
    wrong = [r for r in results if r.problem]
    head = f"{len(broken)} broken, {len(healthy)} healthy; {len(wrong)} do not hold by themselves"
    if not scored:
        return head
    counts = _counts(results)
    lines = [
        head,
        "",
        f"| | of {len(broken)} broken | of {len(healthy)} healthy |",
        "|---|---|---|",
    ]
    lines += [
        f"| venvsmith: named rightly | {_share(counts['broken', 'right'], len(broken))} | |",
        f"| venvsmith: unknown, with facts | {counts['broken', 'unknown']} | |",
        f"| venvsmith: named wrongly | {counts['broken', 'wrong']} | |",
        f"| venvsmith: missed | {counts['broken', 'missed'] + counts['broken', 'failed']} | |",
        f"| venvsmith: false alarm | | {counts['healthy', 'alarm']} |",
        f"| venvsmith: no answer | {counts['broken', 'failed']} | {counts['healthy', 'failed']} |",
    ]
    lines += [
        f"| {peer}: noticed, names none | {_noticed(broken, peer)} | {_noticed(healthy, peer)} |"
        for peer in _PEERS
        if any(peer in r.peers for r in results)
    ]
    lines += ["", *(_line(r) for r in results if not _fine(r))]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else "0"


def _noticed(results: Sequence[Result], peer: str) -> int:
    return sum(r.peers.get(peer) is True for r in results)


def _fine(result: Result) -> bool:
    return result.verdict is not None and result.verdict.outcome in {"right", "clean"}


def _line(result: Result) -> str:
    if result.verdict is None:
        return f"- {result.name}: case does not hold: {result.problem.splitlines()[0]}"
    expected = "/".join(result.expect) or "no error"
    verdict = result.verdict
    said = (verdict.rule or "nothing") + (
        f" (with --import: {verdict.asked})" * bool(verdict.asked)
    )
    return f"- {result.name}: {verdict.outcome}; expected {expected}, got {said}: {verdict.message}"
