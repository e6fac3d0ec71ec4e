from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import FAMILY, change


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A copy of the family under an image name of its own."""
    folder = tmp_path / "small"
    shutil.copytree(FAMILY, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    name = f"vs-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    change(folder, r"\[images\.pages\]", f"[images.{name}]")
    yield folder
    subprocess.run(["docker", "image", "rm", "-f", f"{name}:cpu"], capture_output=True, check=False)
