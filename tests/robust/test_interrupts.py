"""Ctrl-C and SIGTERM at any time: the code of the signal, one line at most, and nothing left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from faults import FaultyIndex
from robust.kills import CONFIG
from venvsmith.files import JOURNAL, TEMP_PREFIX
from waiting import eventually, until_begun

TIMES = int(os.environ.get("VENVSMITH_INTERRUPTS", "1"))
"""How often each pair of command and signal is tried; more by hand."""
BUILD = "build --engine local --no-verify"
RANDOM = random.Random(7)  # noqa: S311 - not a secret


def processes(mark: str) -> dict[int, str]:
    """Return the processes that carry a mark in their environment, and their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = words
        except OSError:
            continue
    return found


def outputs(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for part in ("locks", "docker")
        for path in sorted((root / part).rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    return folder


def configure(root: Path, lib: int) -> None:
    (root / "venvsmith.toml").write_text(CONFIG.replace("LIB", str(lib)).replace("ENV", str(lib)))


def run(root: Path, *words: str) -> int:
    argv = [sys.executable, "-m", "venvsmith", "-q", *words]
    return subprocess.run(argv, cwd=root, capture_output=True).returncode


@pytest.mark.parametrize(
    ("words", "number"),
    [
        pytest.param("lock", signal.SIGINT, id="lock, ctrl-c"),
        pytest.param("lock", signal.SIGTERM, id="lock, sigterm"),
        pytest.param("render", signal.SIGINT, id="render, ctrl-c"),
        pytest.param("render", signal.SIGTERM, id="render, sigterm"),
        pytest.param(BUILD, signal.SIGINT, id="build, ctrl-c", marks=pytest.mark.e2e),
        pytest.param(BUILD, signal.SIGTERM, id="build, sigterm"),
    ],
)
def test_a_signal_ends_a_run_cleanly(
    root: Path, words: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyIndex(folder=root.parent / "wheels") as index:
        for name, version, *requires in (("lib", "1"), ("lib", "2"), ("left", "1", "lib")):
            index.add(name, version, *requires)
        for variable in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
            monkeypatch.setenv(variable, index.url)
        configure(root, 1)
        assert [run(root, "lock"), run(root, "render")] == [0, 0]
        begun = time.monotonic()
        run(root, *words.split())
        whole = time.monotonic() - begun
        for _ in range(TIMES):
            interrupt(root, words.split(), number, RANDOM.uniform(0, whole))


def interrupt(root: Path, words: list[str], number: signal.Signals, after: float) -> None:
    old = outputs(root)
    if words == ["lock"]:
        configure(root, 2 if b"lib==1" in old["locks/base.cpu.txt"] else 1)
    mark = f"mark-{uuid.uuid4()}"
    running = subprocess.Popen(
        [sys.executable, "-m", "venvsmith", "-q", *words],
        cwd=root,
        env={**os.environ, "VENVSMITH_MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    until_begun(running)
    time.sleep(after)
    if number == signal.SIGINT:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    sent = time.monotonic()
    told = running.communicate(timeout=60)[1]
    assert time.monotonic() - sent < 40
    assert running.returncode in {0, 128 + number}, (after, running.returncode, told)
    assert "Traceback" not in told, (after, told)
    # On a terminal a line ends first what the user has typed: ^C.
    assert told.strip().count("\n") == 0, (after, told)
    eventually(lambda: processes(mark) == {})
    if running.returncode and words != ["lock"]:
        assert outputs(root) == old
    # The next run sweeps up what there is to sweep up, and ends well.
    assert run(root, *words) == 0
    rubbish = [
        path
        for path in root.rglob("*")
        if path.name == JOURNAL
        or path.name.startswith(TEMP_PREFIX)
        or path.name.endswith((".new", ".old"))
    ]
    assert rubbish == []
    assert list((root.parent / "temp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("words", "code"), [(["--version"], 0), (["no-such-command"], 2)], ids=["done", "refused"]
)
def test_a_run_that_ended_keeps_its_code_whatever_comes_while_python_ends(
    number: signal.Signals, words: list[str], code: int
) -> None:
    script = (
        "import atexit, os, sys\n"
        "from venvsmith.__main__ import main\n"
        f"atexit.register(os.kill, os.getpid(), {int(number)})\n"
        f"sys.argv[1:] = {words!r}\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


AT_EACH_LINE = """
import os, sys
import venvsmith.__main__ as room
import venvsmith.cli.main  # what each of the runs imports, once

def sending(frame, event, _):
    if frame.f_code.co_filename != room.__file__:
        return None
    global left
    left -= event == "line"
    if event == "line" and left == 0:
        os.kill(os.getpid(), number)
    return sending

number, sys.argv[1:] = int(sys.argv[1]), ["--version"]
for left in range(4, 20):  # the first lines come before anything is caught
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.stderr)
else:
    sys.exit()
sys.settrace(sending)
room.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_line_of_the_beginning_and_the_end_is_met(number: signal.Signals) -> None:
    argv = [sys.executable, "-c", AT_EACH_LINE, str(int(number))]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stderr.splitlines()
    codes = [line for line in told if line != "venvsmith: interrupted"]
    # Once the run has ended well, its code stays.
    early = codes.count(str(128 + number))
    assert early > 1
    assert codes == [str(128 + number)] * early + ["0"] * (16 - early)
