"""Starting programs, on real ones."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from threading import Event, Timer
from typing import Any

import pytest

from venvsmith.process import Command, environment, run
from waiting import eventually


def python(code: str, **settings: Any) -> Command:
    return replace(Command(argv=(sys.executable, "-c", code), timeout=120.0), **settings)


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


def test_one_that_ignores_an_interrupt_is_ended_with_its_children() -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    begun = Event()
    done = run(python(code), on_output=lambda _: begun.set(), stop=begun)
    assert done.returncode == -signal.SIGTERM
    # Killed; whoever adopted it may not have reaped it yet.
    eventually(lambda: state_of(done.text.strip()) in {"", "Z"})


def state_of(pid: str) -> str:
    """Return the letter of a process's state; empty where there is none any more."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_one_that_overstays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venvsmith.process.GRACE_SECONDS", 60)
    done = run(Command(argv=("sleep", "600"), timeout=0.1))
    assert (done.timed_out, done.returncode) == (True, -signal.SIGINT)


def test_an_interrupt_while_a_program_starts_stops_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Popen[bytes]] = []

    class Interrupted(Popen[bytes]):
        """One that is not known to anyone yet when the user interrupts."""

        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("subprocess.Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(Command(argv=("sleep", "600"), timeout=60))
    assert [each.returncode for each in started] == [-signal.SIGINT]


def test_output_beyond_the_limit_is_dropped_and_told() -> None:
    done = run(python("print('x' * 1000)", output_limit=10))
    assert (done.stdout, done.truncated, done.returncode) == (b"x" * 10, True, 0)


def test_a_flood_is_stopped_where_the_command_says_so() -> None:
    flood = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    done = run(python(flood, output_limit=100_000, stop_when_full=True))
    assert done.truncated
    assert not done.timed_out


def test_another_thread_can_stop_it() -> None:
    stop = Event()
    Timer(0.3, stop.set).start()
    done = run(Command(argv=("sleep", "600"), timeout=120), stop=stop)
    assert (done.timed_out, done.returncode) == (True, -signal.SIGINT)


def test_lines_are_handed_on_as_they_come() -> None:
    lines: list[str] = []
    run(python("import sys; print('a\\nb', file=sys.stderr)"), on_line=lines.append)
    assert lines == ["a", "b"]


def test_a_line_without_an_end_is_handed_on_in_parts_and_no_more_of_it_is_kept() -> None:
    parts: list[int] = []
    code = "import sys\nfor _ in range(99): sys.stdout.write('x' * 65536)"
    done = run(python(code, output_limit=10), on_output=lambda part: parts.append(len(part)))
    assert (done.stdout, done.truncated) == (b"x" * 10, True)
    assert sum(parts) == 99 * 65536
    assert max(parts) <= 2 * 65536


def test_what_a_listener_raises_ends_the_program_and_is_raised() -> None:
    def refuse(line: str) -> None:
        raise OSError(line)

    endless = python("while True: print('y' * 1000)")
    with pytest.raises(OSError, match=r"^y+$"):
        run(endless, on_output=refuse)


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
