"""The cut into layers is recorded by render, and a bump changes one layer's pins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAMILY = Path(__file__).parents[1] / "families" / "small"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    shutil.copytree(FAMILY, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    return folder


def run(project: Path, *words: str, code: int = 0) -> str:
    config = str(project / "venvsmith.toml")
    argv = [sys.executable, "-m", "venvsmith", "--config", config, "render", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def render(project: Path, *words: str, code: int = 0) -> dict[str, dict[str, list[str]]]:
    run(project, *words, code=code)
    record = project / "docker" / "deltas" / "layers.json"
    stages: dict[str, dict[str, list[str]]] = json.loads(record.read_text())["stages"]
    return stages


def test_layers_stay_when_sizes_change_until_a_recut_is_asked_for(project: Path) -> None:
    first = render(project)
    (stem,) = (stem for stem, cut in first.items() if any("jinja2" in x for x in cut.values()))
    assert list(first[stem]) == [stem]
    sizes = project / "locks" / "sizes.json"
    sizes.write_text(sizes.read_text().replace("134899", "900000000"))
    assert render(project) == first
    render(project, "--check")
    render(project, "--check", "--recut", code=1)
    again = render(project, "--recut")
    assert again[stem] == {f"{stem}.jinja2": ["jinja2"], stem: ["pygments"]}
    assert (project / "docker" / "deltas" / f"{stem}.jinja2.txt").read_text().startswith("jinja2==")
    assert render(project) == again


def test_a_damaged_record_is_named(project: Path) -> None:
    render(project)
    (project / "docker" / "deltas" / "layers.json").write_text("{}")
    told = run(project, code=3)
    assert "docker/deltas/layers.json: not a record of layers" in told
