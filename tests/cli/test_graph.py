"""``venvsmith graph``, and completion by a real bash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param(["ren"], {"render"}, id="a command"),
        pytest.param(["render", "--tem"], {"--template"}, id="an option"),
        pytest.param(["graph", "--format", "j"], {"json"}, id="a choice"),
    ],
)
def test_bash_completes(typed: list[str], offered: set[str]) -> None:
    words = " ".join(["venvsmith", *typed])
    script = (
        'eval "$(_VENVSMITH_COMPLETE=bash_source venvsmith)"\n'
        f"COMP_WORDS=({words}) COMP_CWORD={len(typed)}\n"
        '_venvsmith_completion venvsmith\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    scripts = sysconfig.get_path("scripts")
    env = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert set(done.stdout.split()) == offered, done.stderr
