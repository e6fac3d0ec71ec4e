"""`venvsmith lock` as it is run: what it prints, and how it exits."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from resolve.workshop import PINNED

if TYPE_CHECKING:
    from pathlib import Path

    from resolve.workshop import LocalIndex

KILLS = 8
CONFIG = f"""\
[project]
name = "demo"
python = "3.11"

[bases.slim]
image = "{PINNED}"

[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]

[stages.base]
requires = ["lib"]

[stages.app]
extends = "base"
requires = ["left"]
"""


@pytest.fixture
def folder(index: LocalIndex, tmp_path: Path) -> Path:
    index.add("lib", "1")
    index.add("left", "1", "lib")
    root = tmp_path / "demo"
    root.mkdir()
    (root / "venvsmith.toml").write_text(CONFIG)
    return root


def venvsmith(folder: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "venvsmith", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_working_day(folder: Path, index: LocalIndex) -> None:
    code, out, _ = venvsmith(folder, "lock", "--check")
    assert code == 1
    assert "locks/base.cpu.txt: it does not exist yet" in out

    code, out, err = venvsmith(folder, "lock")
    assert code == 0
    assert out.splitlines() == [
        "locks/base.cpu.txt: 1 pin, new",
        "locks/app.cpu.txt: 2 pins, new",
        "locks/tools.txt: 1 pin, new",
    ]
    assert err == "resolving base, app (cpu, linux/amd64)\n"

    assert venvsmith(folder, "lock", "--check", "--offline")[0] == 0
    assert venvsmith(folder, "-q", "lock") == (0, "", "")
    assert venvsmith(folder, "lock", "base", "--quiet") == (0, "", "")

    index.add("lib", "2")
    index.add("extra", "1")
    code, out, _ = venvsmith(folder, "lock", "--upgrade-package", "lib")
    assert out.splitlines() == [
        "locks/base.cpu.txt: 1 pin; lib 1 → 2",
        "locks/app.cpu.txt: 2 pins; lib 1 → 2",
    ]


def test_failure_is_one_line_with_its_code(folder: Path) -> None:
    (folder / "venvsmith.toml").write_text(CONFIG.replace('"left"', '"left>=2"'))
    code, out, err = venvsmith(folder, "-q", "lock")
    assert (code, out) == (1, "")
    assert err == (
        "venvsmith: no-resolution: stages.app (cpu, linux/amd64): stage 'app' (left>=2) cannot be "
        "resolved: only left==1 is available and stage 'app' requires left>=2; loosen one of "
        "these requirements, or give the stage a venv of its own by taking out its 'extends'\n"
    )
    assert not (folder / "locks").exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nothing"], 2, "there is no stage 'nothing'"),
        (["--variant", "cpuu"], 2, "did you mean 'cpu'?"),
        (["--upgrade-package", "lip"], 2, "'lip' is in none of the locks; did you mean 'lib'?"),
        (["--check", "--upgrade"], 2, "--check changes nothing"),
    ],
)
def test_wrong_words_are_refused(folder: Path, words: list[str], code: int, says: str) -> None:
    assert venvsmith(folder, "lock")[0] == 0
    found, _, err = venvsmith(folder, "lock", *words)
    assert found == code
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [("lock",), ("lock", "--check")])
def test_interrupt_ends_the_run_at_once_and_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    if "--check" in words:
        assert venvsmith(folder, "lock")[0] == 0
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        running = subprocess.Popen(
            [sys.executable, "-m", "venvsmith", *words],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(120)
        connection, _ = silent.accept()  # uv is at work, and waits half a minute for an answer
        with connection:
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert err.endswith("venvsmith: interrupted\n")
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


@pytest.mark.e2e
def test_killed_runs_leave_old_or_new_locks_never_between(folder: Path, index: LocalIndex) -> None:
    venvsmith(folder, "lock")
    versions = iter(range(2, 100))
    for number in range(KILLS):
        old = lock_files(folder)
        index.add("lib", str(next(versions)))
        running = subprocess.Popen(
            [sys.executable, "-m", "venvsmith", "-q", "lock", "--upgrade"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        # Most of a run is start-up and resolving; the later kills fall where files are written.
        time.sleep(0.25 + number * 0.04)
        running.kill()
        running.wait()
        code, out, err = venvsmith(folder, "lock", "--check")
        assert (code, out) == (0, ""), err
        new = lock_files(folder)
        assert new == old or all(new[name] != old[name] for name in ("base.cpu.txt", "app.cpu.txt"))


def lock_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "locks").iterdir()}
