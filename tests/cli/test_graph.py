"""``venvsmith graph``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

FAMILY = Path(__file__).parents[1] / "families" / "small"


def graph(folder: Path, *words: str) -> str:
    argv = [sys.executable, "-m", "venvsmith", "graph", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_tree_shows_a_stage_below_what_it_extends_and_its_pins() -> None:
    lines = graph(FAMILY).splitlines()
    start = lines.index("stages")
    assert lines[start + 1].startswith("└── markup  (cpu: 1 package")
    assert lines[start + 2].startswith("    └── pages  (cpu: 3 packages")
    assert "└── pages  (/venv = pages; cpu)" in lines


def test_what_is_not_locked_or_not_measured_is_null_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    shutil.copytree(FAMILY, folder)
    (folder / "locks" / "pages.cpu.txt").unlink()
    (folder / "locks" / "sizes.json").unlink(missing_ok=True)
    told = json.loads(graph(folder, "--format", "json"))
    assert told["schema"] == "venvsmith/graph/1"
    locks = {stage["name"]: stage["locks"] for stage in told["stages"]}
    entry = {"variant": "cpu", "platform": "linux/amd64", "packages": None, "bytes": None}
    assert locks == {"markup": [entry | {"packages": 1}], "pages": [entry]}
    assert "Not everything is locked" in graph(folder)
