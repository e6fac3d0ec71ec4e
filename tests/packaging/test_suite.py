"""The suite itself: nothing of it is passed over in silence."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    patterns = pytestconfig.getini("norecursedirs")
    folders = {part for path in TESTS.rglob("test_*.py") for part in path.parent.parts}
    rooms = {path.parent.name for path in TESTS.rglob("test_*.py")}
    assert "build" in rooms
    assert [n for n in sorted(rooms & folders) if any(fnmatch(n, p) for p in patterns)] == []
