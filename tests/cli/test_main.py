"""The command line as a user meets it when something is wrong: one line, and the code."""

from __future__ import annotations

import os
import pkgutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from venvsmith import errors
from waiting import eventually

THREE_MISTAKES = """\
[project]
name = "asr"
pyton = "3.11"

[bases.slim]
image = 3

[variants.cpu]
base = "slin"
platforms = ["linux/amd64"]

[stages.asr]
requires = ["faster-whisper"]
"""


EACH_ALONE = """
import importlib, os, sys
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        importlib.import_module(name)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""


def venvsmith(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "venvsmith", *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def test_every_mistake_of_a_configuration_is_told_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "venvsmith.toml").write_text(THREE_MISTAKES)
    done = venvsmith("lock", cwd=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert all(line.startswith("venvsmith: config: ") for line in lines)
    told = "\n".join(lines)
    assert "project.pyton" in told
    assert 'did you mean "python"' in told
    assert "bases.slim.image" in told
    assert 'did you mean "slim"' in told


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        pytest.param(
            ["lok"],
            2,
            "venvsmith: usage: no such command 'lok'; did you mean 'lock'?; see 'venvsmith --help'",
            id="a command",
        ),
        pytest.param(
            ["render", "--chek"],
            2,
            "venvsmith: usage: No such option '--chek'.",
            id="an option",
        ),
        pytest.param(
            ["verify", "venv:/nowhere"],
            2,
            "venvsmith: no-such-target: venv:/nowhere: no such folder",
            id="a target",
        ),
        pytest.param(["lock"], 2, "venvsmith.toml", id="no configuration"),
        pytest.param(
            ["compare", "venv:/a", "venv:/b", "--command", "'a"],
            2,
            "usage: --command: 'a cannot be split into words: No closing quotation",
            id="a command with an open quotation",
        ),
        pytest.param(
            ["verify", "venv:/a", "--timeout", "nan"],
            2,
            "usage: --timeout: expected a number of seconds, got nan",
            id="a time that is no number",
        ),
        pytest.param(
            ["verify", "venv:/a", "--import", "os;print"],
            2,
            'usage: --import: expected a module name such as "package.module", got "os;print"',
            id="a module's name that is none",
        ),
    ],
)
def test_a_mistake_is_one_line(words: list[str], code: int, line: str, tmp_path: Path) -> None:
    done = venvsmith(*words, cwd=tmp_path)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr
    assert done.stdout == ""


def test_control_characters_in_a_message_are_escaped(tmp_path: Path) -> None:
    done = venvsmith("verify", "venv:/no\x1b[31mwhere", cwd=tmp_path)
    assert "\x1b" not in done.stderr
    assert r"\x1b[31m" in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    argv = [sys.executable, "-m", "venvsmith", "explain", "dist-missing"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_an_interrupt_ends_with_130_and_one_line(tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "python"
    slow.parent.mkdir()
    slow.write_text('#!/bin/sh\ntouch "$0.begun"\nexec sleep 600\n')
    slow.chmod(0o755)
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    argv = [sys.executable, "-m", "venvsmith", "verify", f"venv:{tmp_path}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        eventually(slow.with_name("python.begun").exists)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.split(b"\n") == [b"", b"venvsmith: interrupted", b""]


def test_codes_and_exit_codes_mean_what_the_contract_says() -> None:
    exit_codes = {
        errors.JudgedError: 1,
        errors.UsageError: 2,
        errors.UnsafeInputError: 3,
        errors.SurroundingsError: 4,
        errors.NothingCheckedError: 5,
        errors.VenvsmithError: 70,
    }
    assert {kind: kind.exit_code for kind in exit_codes} == exit_codes
    assert len({kind.code for kind in exit_codes}) == len(exit_codes)


def test_every_module_imports_alone() -> None:
    root = Path(__file__).parents[2] / "src"
    names = [
        module.name
        for module in pkgutil.walk_packages([str(root / "venvsmith")], "venvsmith.")
        if ".steps" not in module.name and ".probe." not in module.name
        and not module.name.endswith("__main__")
    ]  # fmt: skip
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    argv = [sys.executable, "-c", EACH_ALONE]
    halves = [
        subprocess.Popen([*argv, *half], env=env, stderr=subprocess.PIPE)
        for half in (names[::2], names[1::2])
    ]
    told = [half.communicate()[1].decode()[-2000:] for half in halves]
    assert [half.returncode for half in halves] == [0, 0], told
