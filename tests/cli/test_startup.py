"""The command line starts fast, and no command pays for another."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAMILY = ROOT / "tests" / "families" / "small"
HEAVY = {"jinja2", "rich", "msgspec", "virtualenv", "packaging", "uv", "piptools"}


def imported(*words: str) -> set[str]:
    """Return the top-level names that a command line imports."""
    argv = [sys.executable, "-X", "importtime", "-m", "venvsmith", *words]
    done = subprocess.run(argv, cwd=FAMILY, capture_output=True, text=True, check=True)
    names = re.findall(r"^import time:.*\|\s+(\S+)$", done.stderr, re.MULTILINE)
    return {name.partition(".")[0] for name in names}


def test_the_version_is_told_in_150_ms() -> None:
    program = Path(sysconfig.get_path("scripts")) / "venvsmith"
    best = float("inf")
    for _ in range(10):
        start = time.monotonic()
        subprocess.run([program, "--version"], capture_output=True, check=True)
        best = min(best, time.monotonic() - start)
    assert best < 0.150


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        pytest.param(["--help"], set(), id="help"),
        pytest.param(["verify", "--help"], set(), id="help of a command"),
        pytest.param(["lock", "--check"], {"packaging", "uv"}, id="lock"),
        pytest.param(["render", "--stdout"], {"packaging", "jinja2", "virtualenv"}, id="render"),
        pytest.param(["explain", "dist-missing"], {"rich", "packaging"}, id="explain"),
        pytest.param(
            ["verify", f"venv:{sys.prefix}"], {"packaging", "msgspec", "rich"}, id="verify"
        ),
    ],
)  # fmt: skip
def test_no_command_imports_what_it_does_not_use(words: list[str], allowed: set[str]) -> None:
    assert imported(*words) & HEAVY <= allowed
