"""What BuildKit calls a layer, computed without it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from venvsmith.build.diff_id import diff_id

NAMES = [
    "a",
    "b" * 60 + "/" + "c" * 60,
    "d" * 120,
    "e" * 60 + "/" + "f" * 99 + "/g.txt",
    "h/" * 70 + "x.py",
    "ü/datei.txt",
    "i" * 99 + "/" + "j" * 99 + "/" + "k" * 99,
    "l" * 155,
    "with space/tab\tname",
]


@pytest.mark.engine
def test_a_tree_has_the_digest_that_its_layer_gets(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number, name in enumerate(NAMES):
        path = tree / "venv" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number * 300))
    (tree / "venv" / "short").symlink_to("a")
    (tree / "venv" / "long").symlink_to("y" * 150)
    (tree / "venv" / "odd").symlink_to("ü" * 3)
    (tree / "venv" / "a").chmod(0o755)
    for path in [*tree.rglob("*"), tree]:
        os.utime(path, (315532800, 315532800), follow_symlinks=False)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY --link tree/ /\n")
    build = ["docker", "build", "--quiet", "--no-cache", str(tmp_path)]
    image = subprocess.run(build, capture_output=True, text=True, check=True).stdout.strip()
    inspect = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image]
    layers = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)
    subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)
    assert layers == [diff_id(tree)]
