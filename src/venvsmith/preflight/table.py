"""The table for a person: lines of styled pieces, at most so many columns wide."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from venvsmith.report.plain import clean, plural, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.preflight.report import Preflight, Row

Piece = tuple[str, str]
"""A text and its style: a status, ``plain``, ``title`` or ``mend``."""
Line = tuple[Piece, ...]

STATUS_COLUMNS = 9
SUBJECT_COLUMNS = 22
"""Where one of a group is longer, each has a line of its own: names of images are long."""
INDENT = "  "


def table(preflight: Preflight, *, width: int = 80) -> list[Line]:
    """Return the answer as lines; paths and commands are never cut, and may overhang."""
    lines: list[Line] = []
    for group, members in groupby(preflight.checks, key=lambda row: row.group):
        rows = list(members)
        longest = max(len(clean(row.subject)) for row in rows)
        column = longest if longest <= SUBJECT_COLUMNS else 0
        lines.append(((group, "title"),))
        for row in rows:
            lines += _row(row, column=column, width=width)
        lines.append(())
    lines.append(_verdict(preflight))
    return lines


def plain(lines: Sequence[Line]) -> str:
    """Return lines without their styles, ending in a newline."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def _row(row: Row, *, column: int, width: int) -> Iterator[Line]:
    subject = clean(row.subject)
    margin = len(INDENT) + STATUS_COLUMNS
    hanging = " " * (margin + column + 2)
    head: Line = ((INDENT, "plain"), (row.status.ljust(STATUS_COLUMNS), row.status))
    if len(subject) > column:
        yield (*head, (subject, "plain"))
        hanging = " " * (margin + 2)
        told = wrapped(row.message, width=width, indent=hanging)
        yield from (((line, "plain"),) for line in told)
    else:
        told = wrapped(row.message, width=width, indent=hanging)
        first = told[0].removeprefix(hanging)
        yield (*head, (f"{subject.ljust(column)}  {first}", "plain"))
        yield from (((line, "plain"),) for line in told[1:])
    if row.mend and row.status != "ok":
        mended = wrapped(f"→ {row.mend}", width=width, indent=hanging, hanging="  ")
        yield from (((line, "mend"),) for line in mended)


def _verdict(preflight: Preflight) -> Line:
    names = ("missing", "wrong", "warning", "unknown", "ok")
    counts = preflight.counts
    told = ", ".join(
        plural(counts[name], name) if name == "warning" else f"{counts[name]} {name}"
        for name in names
        if counts[name]
    )
    word = "ready" if preflight.verdict == "ready" else "not ready"
    style = "ok" if preflight.verdict == "ready" else "missing"
    return ((word, style), (f": {told} · {preflight.seconds:.1f} s", "plain"))
