"""The commands of a maintainer's machine need nothing that Windows lacks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from push.conftest import Family, family, faulty  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "tests" / "without_unix.py")
COMMANDS = [
    ("--version", 0, "venvsmith "),
    ("lock --check --offline", 0, "the locks are up to date"),
    ("render --check", 0, ""),
    ("graph", 0, "faster-whisper"),
    ("explain dist-missing", 0, "dist-missing"),
    ("verify dockerfile:docker/Dockerfile.transcribe.cpu", 0, "PASS"),
    ("push", 2, "no tag names a registry"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that this system has rendered."""
    folder, example = tmp_path / "project", ROOT / "examples" / "quickstart"
    shutil.copytree(example / "locks", folder / "locks")
    shutil.copy(example / "venvsmith.toml", folder)
    subprocess.run([sys.executable, "-m", "venvsmith", "-q", "render"], cwd=folder, check=True)
    return folder


def rendered(project: Path) -> dict[str, bytes]:
    files = (path for path in (project / "docker").rglob("*") if path.is_file())
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files}


def without_unix(project: Path, *words: str) -> tuple[int, str]:
    argv = [sys.executable, SCRIPT, *words]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("line", "code", "said"), COMMANDS, ids=[c[0] for c in COMMANDS])
def test_a_command_does_there_what_it_does_here(
    project: Path, line: str, code: int, said: str
) -> None:
    found = without_unix(project, *line.split())
    assert found[0] == code, found[1]
    assert said in found[1]


def test_what_is_written_there_is_what_is_written_here(project: Path) -> None:
    here = rendered(project)
    shutil.rmtree(project / "docker")
    code, said = without_unix(project, "render")
    assert code == 0, said
    assert rendered(project) == here


@pytest.mark.engine
def test_a_family_is_pushed_from_there(family: Family) -> None:  # noqa: F811
    family.entry = (SCRIPT,)
    done = family.push()
    assert done.code == 0, done.err
    assert "images: 2 pushed; tags: 2 new" in done.out
    assert all(family.real_tags())
    assert family.leftovers() == []
