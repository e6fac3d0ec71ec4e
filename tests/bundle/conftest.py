"""Real frozen applications, made by PyInstaller once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from venvsmith.bundle import venvsmith_diagnose

APP = """\
import venvsmith_diagnose; venvsmith_diagnose.run()
import alpha, click
from alpha import beta
if __name__ == "__main__":
    print(alpha.settings(), beta.NAME, alpha.speed())
"""
ALPHA = {
    "__init__.py": """\
import os
from importlib.metadata import version
from alpha import beta
HERE = os.path.dirname(__file__)
CLICK = version("click")
def settings():
    with open(os.path.join(HERE, "data", "settings.json")) as file:
        return file.read().strip()
def speed():
    from markupsafe import _speedups
    return _speedups.__name__
""",
    "beta.py": "NAME = 'beta'\n",
    "later.py": "NAME = 'later'\n",
    "data/settings.json": "{}\n",
}


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``whole/`` and ``one``, which work, and ``cut/``, without a module."""
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        pytest.skip("this Python has no shared libpython, so PyInstaller cannot freeze with it")
    folder = tmp_path_factory.mktemp("frozen")
    package = folder / "alpha"
    for name, text in ALPHA.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "app.py").write_text(APP)
    shutil.copy(venvsmith_diagnose.__file__, folder)
    kept = ["--collect-data", "alpha", "--copy-metadata", "click"]
    freeze(folder, "whole", *kept)
    freeze(folder, "one", "--onefile", *kept)
    freeze(folder, "cut", "--exclude-module", "alpha.beta", *kept)
    return folder / "dist"


@pytest.fixture
def copy(frozen: Path, tmp_path: Path) -> Path:
    """Return a copy of the whole one, to be broken."""
    shutil.copytree(frozen / "whole", tmp_path / "app", symlinks=True)
    return tmp_path / "app"


def freeze(folder: Path, name: str, *options: str) -> None:
    """Freeze ``app.py`` of a folder as ``dist/NAME``."""
    work = ["--distpath", "dist", "--workpath", f"build-{name}", "--specpath", f"build-{name}"]
    hidden = ["--hidden-import", "markupsafe._speedups", "--paths", str(folder)]
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", *work]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    argv = [*command, *hidden, "--name", name, *options, "app.py"]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
