"""Text for a person: the cause in a sentence, the mend as a line to write, consequences folded."""

from __future__ import annotations

import io
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from venvsmith.report.plain import clean, plural, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.model.finding import Finding, Report, ReportedEnvironment

STYLES = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}
VERDICTS = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}
SHOWN_ALIKE = 3
"""Findings of one rule that are told in full; of more, the first is, and the rest are named."""
SHOWN_NOTES = 5
SHOWN_REASONS = 6
SHOWN_ROWS = 12
"""Of what a program printed last; its end is what decides."""


class _Page:
    """Lines with styles, in the order of writing."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.text = Text()

    def line(self, text: str = "", style: str = "") -> None:
        self.text.append(text + "\n", style=style or None)

    def lines(self, lines: Sequence[str], style: str = "") -> None:
        for line in lines:
            self.line(line, style)


def form(report: Report, *, color: bool = False, width: int = 80) -> str:
    """Return the report as text of at most ``width`` columns, paths and commands kept whole."""
    page = _Page(width)
    _head(page, report)
    roots = [f for f in report.findings if f.root and f.ignored is None]
    grave = [f for f in roots if f.severity != "info"]
    _findings(page, report, grave)
    _notes(page, [f for f in roots if f.severity == "info"])
    _ignored(page, [f for f in report.findings if f.ignored is not None])
    _foot(page, report, grave)
    return _written(page.text, color=color)


def _written(text: Text, *, color: bool) -> str:
    if not color:
        return text.plain
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=True, color_system="standard", no_color=False, width=10_000
    )
    console.print(text, end="", soft_wrap=True)
    return out.getvalue()


def _head(page: _Page, report: Report) -> None:
    target = report.target
    digest = (target.digest or "").removeprefix("sha256:")[:12]
    parts = [target.ref, target.platform or "", digest]
    page.line(clean(" · ".join(part for part in parts if part)), "bold")
    for env in report.environments:
        page.lines(wrapped(_environment(env), width=page.width, indent="  ", hanging="  "))
    page.line()
    page.text.append(report.verdict.upper(), style=VERDICTS[report.verdict])
    page.line(f"  {_summary(report)}")


def _environment(env: ReportedEnvironment) -> str:
    python = env.python
    version = f"Python {python.version}" if python and python.version else "no working Python"
    if python and python.resolves_to and python.resolves_to != python.executable:
        version += f" ({python.resolves_to})"
    there = sum(package.version is not None for package in env.packages)
    return f"{env.path} · {version} · {plural(there, 'package')}"


def _summary(report: Report) -> str:
    counted = [f for f in report.findings if f.ignored is None]
    roots = [f for f in counted if f.root]
    kinds: Counter[str] = Counter(f.severity for f in roots)
    causes = [
        plural(kinds[severity], noun)
        for severity, noun in (("error", "error"), ("warning", "warning"), ("info", "note"))
        if kinds[severity]
    ]
    follow = len(counted) - len(roots)
    if follow:
        causes.append(f"{plural(follow, 'consequence')} of them")
    if not causes:
        causes = ["nothing is wrong" if report.verdict == "pass" else "not everything was checked"]
    if report.score is not None:
        causes.append(f"{report.score} % of what is expected works")
    return ", ".join(causes)


def _findings(page: _Page, report: Report, roots: Sequence[Finding]) -> None:
    number = 0
    for _key, group in groupby(roots, key=lambda f: (f.rule, f.environment, f.severity)):
        alike = list(group)
        told = alike if len(alike) <= SHOWN_ALIKE else alike[:1]
        for finding in told:
            number += 1
            _finding(page, report, finding, number)
        rest = alike[len(told) :]
        if rest:
            names = ", ".join(f.subject for f in rest)
            page.lines(
                wrapped(
                    f"and {len(rest)} more of this kind: {names}",
                    width=page.width,
                    indent="   ",
                    hanging="  ",
                )
            )


def _finding(page: _Page, report: Report, finding: Finding, number: int) -> None:
    page.line()
    page.text.append(f"{number}. ")
    page.text.append(finding.severity, style=STYLES[finding.severity])
    place = f"  {finding.environment}" if len(report.environments) > 1 else ""
    page.text.append(f"  {finding.rule}", style="bold")
    page.line(clean(place), "dim")
    page.lines(wrapped(finding.message, width=page.width, indent="   "))
    page.lines(wrapped(f"Why:  {finding.cause}", width=page.width, indent="   ", hanging=" " * 6))
    page.lines(
        wrapped(f"Mend: {finding.fix}", width=page.width, indent="   ", hanging=" " * 6), "green"
    )
    _trace(page, finding)
    _consequences(page, [report.findings[i] for i in finding.explains])


def _trace(page: _Page, finding: Finding) -> None:
    """Show the chain of an import that nothing explains: the sharpest facts there are."""
    if finding.rule not in {"import-failed", "import-crashed", "command-failed"}:
        return
    frames = list(finding.evidence.get("traceback") or ())[-4:]
    if frames:
        page.line("   Chain, the outermost first:", "dim")
        page.lines([f"     {clean(str(frame))}" for frame in frames], "dim")
    output = [line for line in str(finding.evidence.get("output") or "").splitlines() if line]
    if output:
        rows = [
            row for line in output[-4:] for row in wrapped(line, width=page.width, indent="     ")
        ]
        page.line("   It printed last:", "dim")
        page.lines(rows[-SHOWN_ROWS:], "dim")


def _consequences(page: _Page, others: Sequence[Finding]) -> None:
    if not others:
        return
    by_rule: dict[str, list[str]] = {}
    for other in others:
        by_rule.setdefault(other.rule, []).append(other.subject)
    told = []
    for rule, subjects in by_rule.items():
        shown = ", ".join(subjects[:SHOWN_ALIKE])
        more = f" and {len(subjects) - SHOWN_ALIKE} more" if len(subjects) > SHOWN_ALIKE else ""
        told.append(f"{rule} ({shown}{more})")
    line = f"Explains {plural(len(others), 'more finding')}: {'; '.join(told)}"
    page.lines(wrapped(line, width=page.width, indent="   ", hanging="  "), "dim")


def _notes(page: _Page, notes: Sequence[Finding]) -> None:
    if not notes:
        return
    page.line()
    page.line("Notes", "bold")
    for finding in notes[:SHOWN_NOTES]:
        page.lines(
            wrapped(
                f"{finding.rule}: {finding.message}", width=page.width, indent="   ", hanging="  "
            )
        )
    if len(notes) > SHOWN_NOTES:
        counts = Counter(f.rule for f in notes[SHOWN_NOTES:])
        rest = ", ".join(f"{rule} ×{number}" for rule, number in counts.items())  # noqa: RUF001
        page.lines(wrapped(f"and: {rest}", width=page.width, indent="   ", hanging="  "))


def _ignored(page: _Page, ignored: Sequence[Finding]) -> None:
    if not ignored:
        return
    page.line()
    page.line("Ignored", "bold")
    for finding in ignored:
        text = f"{finding.rule} {finding.subject}: {finding.ignored}"
        page.lines(wrapped(text, width=page.width, indent="   ", hanging="  "), "dim")


def _foot(page: _Page, report: Report, grave: Sequence[Finding]) -> None:
    page.line()
    asked = list(dict.fromkeys(each.reason for each in report.checks.skipped if each.asked))
    for reason in asked[:SHOWN_ALIKE]:
        page.lines(wrapped(f"Not checked: {reason}", width=page.width, hanging="  "))
    if asked[SHOWN_ALIKE:]:
        page.line(f"Not checked: {len(asked) - SHOWN_ALIKE} more that were asked for")
    seconds = report.timings.get("total_s", 0.0)
    told = f"{plural(report.checks.ran, 'check')} in {seconds:.1f} s"
    others = [skipped.reason for skipped in report.checks.skipped if not skipped.asked]
    reasons = list(dict.fromkeys(others))
    if reasons:
        told += f", {len(others)} not made: {'; '.join(reasons[:SHOWN_REASONS])}"
    if reasons[SHOWN_REASONS:]:
        told += f"; and {len(reasons) - SHOWN_REASONS} more reasons (--format json has all)"
    page.lines(wrapped(told, width=page.width, hanging="  "))
    if grave:
        page.line(f"More: venvsmith explain {grave[0].rule}", "dim")
