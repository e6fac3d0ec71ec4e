from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import copied_family


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A copy of the family under an image name of its own."""
    with copied_family(tmp_path) as folder:
        yield folder
