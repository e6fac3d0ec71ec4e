"""Annotations of GitHub Actions: workflow commands, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.report.plain import clean

if TYPE_CHECKING:
    from venvsmith.model.finding import Finding, Report

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def form(report: Report, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - one signature
    """Return an annotation for each root, and a last line with the verdict in plain words."""
    lines = [_line(report, f) for f in report.findings if f.root and f.ignored is None]
    score = "" if report.score is None else f", score {report.score}"
    lines.append(
        f"venvsmith verify {clean(report.target.ref)}: {report.verdict}{score}, "
        f"{report.checks.ran} checks"
    )
    return "\n".join(lines) + "\n"


def _line(report: Report, finding: Finding) -> str:
    properties = {"title": f"{finding.rule} ({report.target.ref})"}
    if report.target.kind == "dockerfile":
        properties["file"] = report.target.ref.removeprefix("dockerfile:")
        line = finding.evidence.get("line")
        if isinstance(line, int) and line > 0:
            properties["line"] = str(line)
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    follow = f"\nExplains {len(finding.explains)} more." if finding.explains else ""
    text = f"{finding.message}\nWhy: {finding.cause}\nMend: {finding.fix}{follow}"
    return f"::{LEVELS[finding.severity]} {told}::{_data(text)}"


def _data(text: str) -> str:
    """Escape a message as the runner unescapes it: ``%``, carriage return, line feed."""
    lines = [clean(line).replace("%", "%25") for line in text.split("\n")]
    return "%0A".join(lines)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
