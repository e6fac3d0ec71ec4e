"""``venvsmith preflight`` as a person runs it, on this machine."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engines import change

FAMILY = Path(__file__).parents[1] / "families" / "small"
NOWHERE = "tcp://127.0.0.1:9"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "small"
    shutil.copytree(FAMILY, copy)
    return copy


def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "venvsmith", *words]
    own = {**os.environ, **env}
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, env=own, timeout=60)


def preflight(
    folder: Path, *words: str, code: int, tries: int = 1, **env: str
) -> list[dict[str, Any]]:
    """Return what it tells; asked again where a busy engine has not answered in its seconds."""
    late = re.compile(r"no answer in|did not (answer|end|come to an end) in")
    ask = partial(run, folder, "preflight", "--format", "json", *words, **env)
    done = ask()
    while tries > 1 and late.search(done.stdout):
        done, tries = ask(), tries - 1
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["exit_code"] == code
    checks: list[dict[str, Any]] = told["checks"]
    return checks


def of(checks: list[dict[str, Any]], check: str) -> dict[str, Any]:
    (one,) = [row for row in checks if row["check"] == check]
    return one


@pytest.mark.engine
def test_a_machine_that_is_ready_says_so_and_writes_nothing(folder: Path) -> None:
    assert run(folder, "render").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    checks = preflight(folder, code=0, tries=5)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert [row for row in checks if row["group"] != "local engine" and row["status"] != "ok"] == []
    assert of(checks, "base")["message"] == "Python 3.11.2 at /usr/bin/python3.11, glibc 2.36"


@pytest.mark.engine
def test_a_base_without_ensurepip_is_named_and_does(folder: Path) -> None:
    change(folder, r"venvsmith-test/bookworm:1", "venvsmith-test/bookworm-noensurepip:1")
    base = of(preflight(folder, code=0, tries=5), "base")
    assert base["status"] == "warning"
    assert "has no ensurepip" in base["message"]
    assert "fine for venvsmith, not for python -m venv" in base["message"]


@pytest.mark.engine
def test_a_base_of_another_minor_is_named_before_a_build_finds_it(folder: Path) -> None:
    change(folder, r"venvsmith-test/bookworm:1", "venvsmith-test/trixie:1")
    base = of(preflight(folder, code=2, tries=5), "base")
    assert base["status"] == "wrong"
    assert base["message"].startswith("has no Python 3.11 (")


def test_without_an_engine_all_else_is_told(folder: Path) -> None:
    checks = preflight(folder, code=4, DOCKER_HOST=NOWHERE)
    assert of(checks, "engine")["status"] == "missing"
    assert NOWHERE in of(checks, "engine")["mend"]
    assert of(checks, "locks")["status"] == "ok"
    assert of(checks, "base")["status"] == "unknown"


def test_a_daemon_that_hangs_costs_seconds(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        checks = preflight(folder, code=4, DOCKER_HOST=host)
        assert time.monotonic() - start < 30
    assert of(checks, "engine")["message"] == "no answer in 4 s"


def test_another_run_in_the_project_is_told_and_not_waited_for(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        locks = of(preflight(folder, code=4, DOCKER_HOST=NOWHERE), "locks")
    finally:
        os.close(handle)
    assert locks["status"] == "unknown"
    assert "another" in locks["message"]


def test_stale_locks_and_stale_files_are_drift(folder: Path) -> None:
    assert run(folder, "render").returncode == 0
    change(folder, "GREETING", "SALUTE")
    stale = of(preflight(folder, code=1, DOCKER_HOST=NOWHERE), "render")
    assert (stale["status"], stale["mend"]) == ("wrong", "venvsmith render")
    change(folder, "jinja2==3.1.6", "jinja2==3.1.5")
    stale = of(preflight(folder, code=1, DOCKER_HOST=NOWHERE), "locks")
    assert (stale["status"], stale["mend"]) == ("wrong", "venvsmith lock")
    assert "jinja2" in stale["message"]


def test_a_file_to_copy_that_is_not_there_yet_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "templates")
    row = of(preflight(folder, code=2, DOCKER_HOST=NOWHERE), "copy")
    assert (row["subject"], row["status"]) == ("images.pages.copy[0].from", "missing")
    assert row["message"] == "there is no 'templates' yet"


def test_a_wrong_configuration_is_told_in_the_table_and_the_machine_with_it(folder: Path) -> None:
    change(folder, 'python = "3.11"', 'pyton = "3.11"\nvenv = "venv"')
    checks = preflight(folder, code=2, DOCKER_HOST=NOWHERE)
    wrong = [row for row in checks if row["check"] == "config"]
    assert {row["subject"] for row in wrong} >= {"project.pyton", "project.venv"}
    assert [row["mend"] for row in wrong[:-1]] == [""] * (len(wrong) - 1)
    assert "docs/configuration.md" in wrong[-1]["mend"]
    assert of(checks, "engine")["status"] == "missing"


def test_tokens_and_programs_of_the_configuration(folder: Path) -> None:
    with (folder / "venvsmith.toml").open("a") as file:
        file.write('\n[preflight]\nbinaries = ["sh", "no-such-program"]\ntokens = ["HF_TOKEN"]\n')
    secret = "hf_a secret of mine"  # noqa: S105 - of nobody
    done = run(folder, "preflight", DOCKER_HOST=NOWHERE, HF_TOKEN=secret)
    assert done.returncode == 4
    assert re.search(r"missing +no-such-program +not on PATH", done.stdout)
    assert re.search(r"wrong +HF_TOKEN +in the environment: has spaces", done.stdout)
    assert "secret" not in done.stdout + done.stderr


def test_colours_are_for_terminals_only(folder: Path) -> None:
    assert "\x1b" not in run(folder, "preflight", DOCKER_HOST=NOWHERE).stdout
    leader, follower = pty.openpty()
    argv = [sys.executable, "-m", "venvsmith", "preflight"]
    env = {**os.environ, "DOCKER_HOST": NOWHERE, "TERM": "xterm", "COLUMNS": "80"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(argv, cwd=folder, stdout=follower, env=env) as process:
        os.close(follower)
        shown = b""
        while process.poll() is None or not shown.endswith(b" s\r\n"):
            try:
                shown += os.read(leader, 65536)
            except OSError:
                break
    os.close(leader)
    assert b"\x1b[31m\x1b[1mmissing" in shown
