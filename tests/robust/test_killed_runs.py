"""A run that is killed leaves all old or all new, and the next one sweeps up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from robust.kills import Target, make, strike

if TYPE_CHECKING:
    from pathlib import Path

KILLS, ROUNDS = 30, 10


def test_kills_leave_old_or_new_and_nothing_else(tmp_path: Path) -> None:
    target = make(tmp_path)
    # On a busy machine many come too late; without any amid the writing this would show nothing.
    for _ in range(ROUNDS):
        strike(target, KILLS)
        if amid(target) > KILLS // 6:
            return
    pytest.fail(f"too few kills fell into the writing: {target.where}")


def amid(target: Target) -> int:
    """Return how many kills fell into the writing."""
    phases = ("writing", "decided")
    return sum(count for place, count in target.where.items() if place.endswith(phases))
