"""What differs between two targets, and what of it accounts for a failure in one of them.

The JSON form of `Comparison` is ``venvsmith/compare/1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from venvsmith.model.finding import Severity

COMPARISON_SCHEMA = "venvsmith/compare/1"
FOLDER = "folder"
"""Of the kind ``python``: where the environment lies, told only where a finding of one side speaks
of the other side's place."""
Side = Literal["a", "b"]
DifferenceKind = Literal[
    "python",
    "package",
    "library",
    "program",
    "variable",
    "system",
    "file",
    "module",
    "data",
    "metadata",
]
"""The last three are of frozen applications."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is not the same on both sides; None where a side does not have it."""

    kind: DifferenceKind
    name: str
    """``version``, ``numpy``, ``libgomp.so.1``, ``PATH``, ``certifi/cacert.pem``, …

    A ``file`` is one of a package that a side lost, or has otherwise than it was installed.
    """
    a: str | None
    b: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A finding that only one side has, and the differences that account for it."""

    side: Side
    rule: str
    severity: Severity
    subject: str
    message: str
    fix: str
    because: tuple[int, ...] = ()
    """Indices of `Comparison.differences`; empty where none of them explains it."""
    explains: int = 0
    """How many more findings of that side follow from this one."""
    unchecked: str = ""
    """Why the other side was not checked for this, where it was not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The outcome of `compare`."""

    schema: Literal["venvsmith/compare/1"]
    a: str
    b: str
    same: bool
    differences: tuple[Difference, ...]
    failures: tuple[Failure, ...]
    """What fails (or may fail) on one side only."""
    shared: tuple[str, ...] = ()
    """Messages of the errors that both sides have."""
    not_compared: tuple[str, ...] = ()
    """What could not be compared, and why."""
