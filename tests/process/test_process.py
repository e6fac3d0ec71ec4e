"""Starting programs, on real ones."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from venvsmith.process import Command, environment, run


def python(code: str, **settings: Any) -> Command:
    return replace(Command(argv=(sys.executable, "-c", code), timeout=20.0), **settings)


def test_output_and_code_come_back() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"))
    assert (done.returncode, done.text, done.error_text) == (7, "out\n", "err\n")


def test_input_is_sent_and_an_unread_one_is_no_error() -> None:
    assert run(python("print(input())", stdin=b"hello\n")).text == "hello\n"
    assert run(python("pass", stdin=b"x" * 10_000_000)).returncode == 0


def test_a_program_that_does_not_exist_is_127_and_one_that_cannot_start_126(tmp_path: Path) -> None:
    assert run(Command(argv=("/nowhere/program",), timeout=1)).returncode == 127
    plain = tmp_path / "plain"
    plain.write_text("")
    assert run(Command(argv=(str(plain),), timeout=1)).returncode == 126


def test_one_that_overstays_is_stopped_with_its_children(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(marker)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    done = run(python(code, timeout=1.0))
    assert done.timed_out
    assert done.returncode == -signal.SIGTERM
    status = Path("/proc", marker.read_text(), "stat")
    # Killed; whoever adopted it may not have reaped it yet.
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_output_beyond_the_limit_is_dropped_and_told() -> None:
    done = run(python("print('x' * 1000)", output_limit=10))
    assert (done.stdout, done.truncated, done.returncode) == (b"x" * 10, True, 0)


def test_a_flood_is_stopped_where_the_command_says_so() -> None:
    flood = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    done = run(python(flood, output_limit=100_000, stop_when_full=True))
    assert done.truncated
    assert not done.timed_out
    assert done.seconds < 10


def test_another_thread_can_stop_it() -> None:
    stop = Event()
    Timer(0.3, stop.set).start()
    done = run(python("import time; time.sleep(60)"), stop=stop)
    assert done.seconds < 10
    assert done.returncode != 0


def test_lines_are_handed_on_as_they_come() -> None:
    lines: list[str] = []
    run(python("import sys; print('a\\nb', file=sys.stderr)"), on_line=lines.append)
    assert lines == ["a", "b"]


def test_secrets_are_shown_nowhere() -> None:
    command = python("import sys; sys.stderr.write('token=s3cret')", secrets=("s3cret",))
    assert run(command).error_text == "token=***"
    assert "s3cret" not in str(
        Command(argv=("x", "--token=s3cret"), timeout=1, secrets=("s3cret",))
    )


def test_variables_are_added_and_dropped_by_name_and_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "UV_CACHE_DIR", "KEPT"):
        monkeypatch.setenv(name, "x")
    env = environment({"ADDED": "1"}, drop=["PIP_*", "UV_CACHE_DIR"])
    assert env["ADDED"] == "1"
    assert "KEPT" in env
    assert not {"PIP_INDEX_URL", "PIP_FIND_LINKS", "UV_CACHE_DIR"} & set(env)
