"""JSON: the contract's ``venvsmith/report/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from venvsmith.model.finding import Report


def form(report: Report, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - one signature
    """Return the report as indented JSON, keys in the contract's order."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"
