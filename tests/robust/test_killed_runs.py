"""A run that is killed leaves all old or all new, and the next one sweeps up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust.kills import make, strike

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 30


def test_kills_leave_old_or_new_and_nothing_else(tmp_path: Path) -> None:
    where = strike(make(tmp_path), KILLS)
    amid = sum(count for place, count in where.items() if place.endswith(("writing", "decided")))
    # On a busy machine many come too late; without any amid the writing this would show nothing.
    assert amid > KILLS // 6, f"too few kills fell into the writing: {where}"
