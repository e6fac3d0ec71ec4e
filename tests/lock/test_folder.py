"""Of a project's folder a build gets the same files, whoever copies them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from values import project
from venvsmith.lock.folder import exclusions, source_files

STEP = Path(__file__).parents[2] / "src/venvsmith/steps/source.py"
GOT = [
    ".github/notes.txt",
    "deltas.txt",
    "pyproject.toml",
    "src/acme/__init__.py",
    "src/acme/build/__init__.py",
    "src/acme/dist/__init__.py",
    "src/acme/docker/x.py",
    "src/acme/venv/__init__.py",
]
LEFT_OUT = [
    ".env",
    ".git/config",
    ".nox/tests/x.py",
    ".svn/entries",
    ".venvsmith.lock",
    "build/lib/acme/__init__.py",
    "dist/acme-1.tar.gz",
    "docker/Dockerfile.asr.cuda",
    "env/bin/python",
    "env/pyvenv.cfg",
    "locks/asr.cuda.txt",
    "src/acme.egg-info/PKG-INFO",
    "src/acme/__pycache__/x.cpython-311.pyc",
    "src/acme/old.pyo",
    "src/acme/web/node_modules/left/index.js",
    "venv/lib/x.py",
    "venvsmith.toml",
]


def test_a_lock_and_an_image_take_packages_named_build_and_no_environment(tmp_path: Path) -> None:
    folder, out = tmp_path / "acme", tmp_path / "out"
    for name in GOT + LEFT_OUT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    of = project(root=folder, file=folder / "venvsmith.toml")

    assert list(source_files(of, folder)) == GOT
    words = (str(STEP), str(folder), str(out), *exclusions(of, folder))
    subprocess.run([sys.executable, "-ISB", *words], check=True)
    copied = (path for path in out.rglob("*") if path.is_file())
    assert sorted(path.relative_to(out).as_posix() for path in copied) == GOT


def test_a_library_below_the_project_may_have_folders_of_the_names_of_ours(tmp_path: Path) -> None:
    library = tmp_path / "libs/acme"
    for name in ("docker/x.py", "locks/x.py", "pyproject.toml"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("x")
    of = project(root=tmp_path, file=tmp_path / "venvsmith.toml")
    assert list(source_files(of, library)) == ["docker/x.py", "locks/x.py", "pyproject.toml"]
    beside = project(root=tmp_path / "service", file=tmp_path / "service/venvsmith.toml")
    assert list(source_files(beside, library)) == ["docker/x.py", "locks/x.py", "pyproject.toml"]
