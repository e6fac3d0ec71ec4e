"""Real frozen applications, made by PyInstaller once a session."""

from __future__ import annotations

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
if __name__ == "__main__":
    print(alpha.settings(), alpha.beta.NAME, alpha.speed())
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


SPEC = """\
a = Analysis(
    ["app.py"],
    pathex=[SPECPATH],
    hiddenimports=["markupsafe._speedups", "alpha.later"],
    datas=[("alpha/data", "alpha/data")],
)
def application(name, modules, packed):
    parts = [a.binaries, a.datas]
    code = PYZ([entry for entry in a.pure if entry[0] in modules])
    exe = EXE(code, a.scripts, *(parts if packed else []), name=name, exclude_binaries=not packed)
    if not packed:
        COLLECT(exe, *parts, name=name)
whole = {entry[0] for entry in a.pure}
application("whole", whole, packed=False)
application("one", whole, packed=True)
application("cut", whole - {"alpha.beta"}, packed=False)
"""


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``whole/`` and ``one``, which work, and ``cut/``, without a module."""
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        pytest.skip("this Python has no shared libpython, so PyInstaller cannot freeze with it")
    folder = tmp_path_factory.mktemp("frozen")
    for name, text in ALPHA.items():
        path = folder / "alpha" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "app.py").write_text(APP)
    (folder / "app.spec").write_text(SPEC)
    shutil.copy(venvsmith_diagnose.__file__, folder)
    argv = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", "app.spec"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "dist"


@pytest.fixture
def copy(frozen: Path, tmp_path: Path) -> Path:
    """Return a copy of the whole one, to be broken."""
    shutil.copytree(frozen / "whole", tmp_path / "app", symlinks=True)
    return tmp_path / "app"
