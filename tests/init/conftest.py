from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from init.drafts import Made
from venvsmith.config import check
from venvsmith.init import draft


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    """Write files, draft from one of them, and load what came out."""

    def made(source: str | None, **files: str) -> Made:
        root = tmp_path / "shop"
        root.mkdir()
        for name, text in files.items():
            path = root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        target = root / "venvsmith.toml"
        result = draft(None if source is None else root / source, target=target)
        return check(result.text, file=target), result

    return made
