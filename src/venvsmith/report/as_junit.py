"""JUnit XML, for test reports of GitLab, Jenkins and others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from venvsmith.report.plain import clean

if TYPE_CHECKING:
    from venvsmith.model.finding import Finding, Report

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""


def form(report: Report, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - one signature
    """Return one suite: a case for each finding and skipped check, one for all that passed."""
    failing = {"error"} if _has_error(report) else {"error", "warning"}
    if report.verdict != "fail":
        failing = set()
    suite = ET.Element("testsuite", name=_text(f"venvsmith verify {report.target.ref}"))
    passed = ET.SubElement(
        suite, "testcase", classname="venvsmith", name=f"{report.checks.ran} checks ran"
    )
    passed.set("time", f"{report.timings.get('total_s', 0.0):.3f}")
    counts = {"failures": 0, "skipped": 0}
    for finding in report.findings:
        counts[_case(suite, finding, failing)] += 1
    for skipped in report.checks.skipped:
        name = _text(f"{skipped.rule} {skipped.subject}".rstrip())
        case = ET.SubElement(suite, "testcase", classname="venvsmith", name=name)
        ET.SubElement(case, "skipped", message=_text(skipped.reason))
        counts["skipped"] += 1
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts["failures"]))
    suite.set("skipped", str(counts["skipped"]))
    suite.set("errors", "0")
    suite.set("time", f"{report.timings.get('total_s', 0.0):.3f}")
    ET.indent(suite)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"
    )


def _has_error(report: Report) -> bool:
    return any(f.severity == "error" and f.ignored is None for f in report.findings)


def _case(suite: ET.Element, finding: Finding, failing: set[str]) -> str:
    """Add a finding; what does not fail the verdict stands as skipped, with its message."""
    place = finding.environment or "target"
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_text(f"venvsmith.{place}"),
        name=_text(f"{finding.rule} {finding.subject}"),
        time="0",
    )
    if finding.ignored is None and finding.severity in failing:
        failure = ET.SubElement(case, "failure", type=finding.rule, message=_text(finding.message))
        failure.text = _text(f"{finding.message}\nWhy:  {finding.cause}\nMend: {finding.fix}", True)
        return "failures"
    reason = f"ignored: {finding.ignored}" if finding.ignored else finding.severity
    ET.SubElement(case, "skipped", message=_text(f"{reason}: {finding.message}"))
    return "skipped"


def _text(text: str, lines: bool = False) -> str:  # noqa: FBT001, FBT002 - private
    shown = "\n".join(clean(line) for line in text.split("\n")) if lines else clean(text)
    return FORBIDDEN.sub("\ufffd", shown)
