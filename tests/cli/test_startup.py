"""The command line starts fast, and no command pays for another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
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


def cpu_seconds(*argv: str | Path) -> float:
    """Return the processor's time that a program takes: other programs do not lengthen it."""
    out = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=out)
    _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return used.ru_utime + used.ru_stime


def test_the_version_is_told_in_150_ms() -> None:
    program = Path(sysconfig.get_path("scripts")) / "venvsmith"
    assert min(cpu_seconds(program, "--version") for _ in range(10)) < 0.150


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        pytest.param(["--help"], set(), id="help"),
        pytest.param(["verify", "--help"], set(), id="help of a command"),
        pytest.param(["lock", "--check"], {"packaging", "uv"}, id="lock"),
        pytest.param(["render", "--stdout"], {"packaging", "jinja2", "virtualenv"}, id="render"),
        pytest.param(["explain", "dist-missing"], {"rich", "packaging"}, id="explain"),
        pytest.param(["verify", "venv:VENV"], {"packaging", "msgspec", "rich"}, id="verify"),
    ],
)  # fmt: skip
def test_no_command_imports_what_it_does_not_use(
    words: list[str], allowed: set[str], tmp_path: Path
) -> None:
    if "venv:VENV" in words:
        venv.create(tmp_path)
        words = ["verify", f"venv:{tmp_path}"]
    assert imported(*words) & HEAVY <= allowed
