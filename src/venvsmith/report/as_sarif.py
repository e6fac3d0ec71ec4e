"""SARIF 2.1.0, for code scanning of GitHub and others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from venvsmith import __version__
from venvsmith.report.plain import clean

if TYPE_CHECKING:
    from venvsmith.model.finding import Finding, Report

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def form(report: Report, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - one signature
    """Return a log with one run: the rules that found something, and what they found."""
    names = list(dict.fromkeys(finding.rule for finding in report.findings))
    codes = {finding.rule: finding.code for finding in report.findings}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "venvsmith",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [_rule(name, codes[name]) for name in names],
                    }
                },
                "results": [_result(report, finding, names) for finding in report.findings],
                "invocations": [
                    {
                        "executionSuccessful": report.verdict != "inconclusive",
                        "toolExecutionNotifications": [
                            {
                                "level": "note",
                                "message": {"text": clean(f"{s.rule} skipped: {s.reason}")},
                            }
                            for s in report.checks.skipped
                        ],
                    }
                ],
            }
        ],
    }
    return json.dumps(log, indent=2) + "\n"


def _rule(name: str, code: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": f"{name} ({code})"},
        "help": {"text": f"venvsmith explain {name}"},
    }


def _result(report: Report, finding: Finding, names: list[str]) -> dict[str, Any]:
    text = f"{finding.message} {finding.cause} Mend: {finding.fix}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": names.index(finding.rule),
        "level": LEVELS[finding.severity],
        "message": {"text": clean(text)},
        "locations": [_location(report, finding)],
        "partialFingerprints": {
            "venvsmith/1": clean(f"{finding.rule}:{finding.environment}:{finding.subject}")
        },
        "properties": {"root": finding.root, "explains": list(finding.explains)},
    }
    if finding.ignored is not None:
        result["suppressions"] = [{"kind": "external", "justification": clean(finding.ignored)}]
    return result


def _location(report: Report, finding: Finding) -> dict[str, Any]:
    """Return where it is: the line of a Dockerfile, or a path inside the target."""
    line = finding.evidence.get("line")
    if report.target.kind == "dockerfile":
        path = report.target.ref.removeprefix("dockerfile:")
        region = {"region": {"startLine": line}} if isinstance(line, int) and line > 0 else {}
        return {"physicalLocation": {"artifactLocation": {"uri": quote(path)}, **region}}
    path = finding.subject if finding.subject.startswith("/") else finding.environment
    uri = quote(clean(path).lstrip("/")) or quote(clean(report.target.ref))
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}},
        "logicalLocations": [{"fullyQualifiedName": clean(f"{report.target.ref}:{path}")}],
    }
