"""An index of tiny wheels as the machine's own, and a project that locks from it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from resolve.workshop import LocalIndex, Workshop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    """Be the machine's default index, with a cache of its own."""
    local = LocalIndex(folder=tmp_path / "index")
    (local.folder / "simple").mkdir(parents=True)
    local.add("uv", version("uv"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", local.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return local


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    root = tmp_path / "project"
    root.mkdir()
    return Workshop(root=root)
