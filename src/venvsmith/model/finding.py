"""Findings and the report: what is wrong with a target, in what order to mend it.

The JSON form of `Report` is the contract's ``venvsmith/report/1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
RANK: Mapping[Severity, int] = {"error": 0, "warning": 1, "info": 2}
"""The gravest first."""
Verdict = Literal["pass", "fail", "inconclusive"]
SCHEMA = "venvsmith/report/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a rule found, told so that a person can mend it."""

    rule: str
    code: str
    severity: Severity
    environment: str
    """Path of the environment that it is about, or an empty string for the target itself."""
    subject: str
    """The file, distribution, module or line that it is about."""
    message: str
    """What is wrong, one sentence."""
    cause: str
    """Why, one sentence."""
    fix: str
    """The line or command that mends it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    root: bool = True
    explains: tuple[int, ...] = ()
    """Indices, in the report, of the findings that follow from this one."""
    ignored: str | None = None
    """The reason for which it was ignored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A check that could not run, and why. It never counts as passed."""

    rule: str
    reason: str
    asked: bool = False
    """Whether it was asked for: the verdict stays open then."""
    subject: str = ""
    """The one thing that the rule was not checked for; empty where it is the whole rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedPython:
    """The interpreter of a reported environment."""

    version: str | None
    executable: str
    resolves_to: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedPackage:
    """An expected or installed distribution."""

    name: str
    version: str | None
    locked: str | None
    available: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedEnvironment:
    """One environment of the report."""

    name: str
    path: str
    kind: str
    status: Literal["ok", "failed", "unknown"]
    python: ReportedPython | None
    packages: tuple[ReportedPackage, ...] = ()
    devices: Mapping[str, bool | None] = field(default_factory=dict)
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedTarget:
    """What was judged."""

    kind: str
    ref: str
    digest: str | None
    platform: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Checks:
    """How much was checked."""

    ran: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The outcome of `verify`."""

    schema: Literal["venvsmith/report/1"]
    target: ReportedTarget
    verdict: Verdict
    score: int | None
    environments: tuple[ReportedEnvironment, ...]
    findings: tuple[Finding, ...]
    checks: Checks
    timings: Mapping[str, float]
