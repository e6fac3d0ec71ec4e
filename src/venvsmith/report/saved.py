"""Reports that ``verify --format json`` saved, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from venvsmith.errors import UsageError
from venvsmith.model.finding import Report
from venvsmith.texts import read_text

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 64 * 1024 * 1024


def read_report(path: Path) -> Report:
    """Return a report from its file.

    :raises UsageError: code ``no-report``, where the file cannot be read or holds none.
    """
    try:
        report = msgspec.json.decode(read_text(path, LIMIT), type=Report)
    except OSError as exc:
        raise _refusal(path, f"cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    except (msgspec.DecodeError, ValueError, RecursionError) as exc:
        raise _refusal(path, f"this is no saved report: {exc}") from exc
    known = range(len(report.findings))
    if any(index not in known for finding in report.findings for index in finding.explains):
        raise _refusal(path, "this is no saved report: a finding explains one that is not there")
    return report


def _refusal(path: Path, message: str) -> UsageError:
    hint = "write one: venvsmith verify TARGET --format json --output FILE"
    return UsageError(message, where=str(path), hint=hint, code="no-report")
