"""The wheel that is built here: what it holds, and that it works without the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    argv = [uv.find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", str(out), str(ROOT)]
    subprocess.run(argv, check=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_ships_the_template_the_schemas_the_steps_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "venvsmith/py.typed",
        "venvsmith/templates/Dockerfile.j2",
        "venvsmith/schema/venvsmith.schema.json",
        "venvsmith/schema/report.schema.json",
        "venvsmith/schema/compare.schema.json",
        "venvsmith/steps/normalise.py",
        "venvsmith/steps/interpreter.sh",
        "venvsmith/collect/probe/tree.py",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/", "locks/"))]


def test_an_installed_wheel_renders_a_template(wheel: Path, tmp_path: Path) -> None:
    family = tmp_path / "small"
    source = ROOT / "tests" / "families" / "small"
    shutil.copytree(source, family, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    venv = tmp_path / "venv"
    tool = uv.find_uv_bin()
    subprocess.run([tool, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    python = str(venv / "bin" / "python")
    subprocess.run([tool, "pip", "install", "-q", "--python", python, wheel], check=True)
    program = str(venv / "bin" / "venvsmith")
    subprocess.run([program, "-q", "render"], cwd=family, check=True)
    rendered = (family / "docker" / "Dockerfile.pages.cpu").read_text()
    assert "FROM assembled AS final" in rendered
