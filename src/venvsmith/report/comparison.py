"""A comparison for a person and for programs: pure, a `Comparison` in and a string out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from venvsmith.model.comparison import FOLDER
from venvsmith.report.plain import clean, plural, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.model.comparison import Comparison, Difference, DifferenceKind, Failure

TITLES: tuple[tuple[DifferenceKind, str, str], ...] = (
    ("python", "Python", "change"),
    ("package", "Packages", "package"),
    ("library", "Native libraries that the environment asks for", "library"),
    ("program", "Programs", "program"),
    ("variable", "Environment variables", "variable"),
    ("system", "System", "change"),
    ("file", "Files of packages", "file"),
    ("metadata", "Metadata of distributions", "distribution"),
    ("data", "Data files", "file"),
    ("module", "Modules", "module"),
)
SHOWN_BECAUSE = 3
"""Differences that are told to account alike for a failure; the tables have them all."""
SHOWN = 40
"""Differences of a kind that are told one by one; JSON has them all."""


def render_comparison(
    comparison: Comparison, form: Literal["text", "json"], *, width: int = 80
) -> str:
    """Return a comparison in one of its formats, ending in a newline."""
    if form == "json":
        encoded = msgspec.json.encode(comparison)
        return msgspec.json.format(encoded, indent=2).decode() + "\n"
    lines = [f"A  {clean(comparison.a)}", f"B  {clean(comparison.b)}", ""]
    lines += wrapped(_verdict(comparison), width=width)
    for failure in comparison.failures:
        lines += ["", *_failure(failure, comparison.differences, width)]
    for message in comparison.shared:
        lines += ["", *wrapped(f"Both fail: {message}", width=width, hanging="  ")]
    for kind, title, _ in TITLES:
        mine = [d for d in comparison.differences if d.kind == kind]
        if mine:
            lines += ["", title, *_table(mine, width)]
    for text in comparison.not_compared:
        lines += ["", *wrapped(f"not compared: {text}", width=width, hanging="  ")]
    return "\n".join(lines) + "\n"


def _verdict(comparison: Comparison) -> str:
    if comparison.same:
        return "SAME  nothing differs that matters to Python"
    failing = [
        f"{side} has {plural(number, 'finding')} that {other} does not have"
        for side, other, number in (
            ("B", "A", sum(f.side == "b" for f in comparison.failures)),
            ("A", "B", sum(f.side == "a" for f in comparison.failures)),
        )
        if number
    ]
    return "DIFFER  " + ", ".join([plural(len(comparison.differences), "difference"), *failing])


def _failure(failure: Failure, differences: Sequence[Difference], width: int) -> list[str]:
    more = f", and {failure.explains} more follow from it" if failure.explains else ""
    head = f"{failure.severity} in {failure.side.upper()} only: {failure.rule}{more}"
    lines = [head, *wrapped(failure.message, width=width, indent="  ")]
    if failure.unchecked:
        other = "A" if failure.side == "b" else "B"
        text = f"{other} was not checked for it: {failure.unchecked}"
        lines += wrapped(text, width=width, indent="  ", hanging="  ")
    elif not failure.because:
        lines += ["  No difference that is known accounts for it."]
    for index in failure.because[:SHOWN_BECAUSE]:
        text = f"Because: {_told(differences[index])}"
        lines += wrapped(text, width=width, indent="  ", hanging="  ")
    return [*lines, *wrapped(f"Mend: {failure.fix}", width=width, indent="  ", hanging="  ")]


def _told(one: Difference) -> str:
    nouns = {"package": "", "library": "", "python": "Python's "}
    name = f"{nouns.get(one.kind, one.kind + ' ')}{one.name}"
    if (one.kind, one.name) == ("python", FOLDER):
        name = "the environment's folder"
    if one.a is None or one.b is None:
        there, value = ("B", one.b) if one.a is None else ("A", one.a)
        shown = "" if value in {None, "present"} else f" ({value})"
        return f"{name} is in {there} only{shown}"
    return f"{name} is {one.a} in A and {one.b} in B"


def _table(mine: Sequence[Difference], width: int) -> list[str]:
    column = min(max(len(d.name) for d in mine[:SHOWN]), 32)
    lines: list[str] = []
    for one in mine[:SHOWN]:
        sign = "+" if one.a is None else "-" if one.b is None else "~"
        values = [v for v in (one.a, one.b) if v is not None]
        values = [] if one.kind in {"module", "data"} else values
        text = f"{sign} {clean(one.name):<{column}}  {' -> '.join(values)}".rstrip()
        lines += (
            wrapped(text, width=width, indent="  ", hanging="    ")
            if len(text) > width - 2
            else [f"  {clean(text)}"]
        )
    if len(mine) > SHOWN:
        lines.append(f"  and {len(mine) - SHOWN} more (--format json has all)")
    return lines
