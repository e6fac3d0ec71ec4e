"""Two runs at once wait for each other, and leave what one after the other would."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resolve.workshop import LocalIndex
from robust.kills import CONFIG
from venvsmith.files import locked


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    index = LocalIndex(folder=tmp_path / "index")
    for name, version, *requires in (("lib", "1"), ("lib", "2"), ("left", "1", "lib")):
        index.add(name, version, *requires)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    configure(folder, 1)
    for command in ("lock", "render"):
        assert end(start(folder, command))[0] == 0
    return folder


def configure(folder: Path, lib: int) -> None:
    (folder / "venvsmith.toml").write_text(CONFIG.replace("LIB", str(lib)).replace("ENV", "x"))


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "venvsmith", "-q", *words]
    return subprocess.Popen(argv, cwd=folder, stderr=subprocess.PIPE, text=True)


def end(running: subprocess.Popen[str]) -> tuple[int, str]:
    told = running.communicate(timeout=120)[1]
    return running.returncode, told


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_runs_at_once_leave_what_runs_in_turn_do(root: Path) -> None:
    configure(root, 2)
    for command in ("lock", "render"):
        assert end(start(root, command))[0] == 0
    serial = files(root)
    for lib in (1, 2):
        configure(root, lib)
        # A render may come before the locks are new: then they have drifted, and it says so.
        running = [start(root, *words) for words in (["lock"], ["lock"], ["render"], ["render"])]
        ends = [end(each) for each in running]
        assert [code for code, _ in ends[:2]] == [0, 0], ends
        assert all(code == 0 or ": drift: " in told for code, told in ends[2:]), ends
        assert end(start(root, "render"))[0] == 0
    assert files(root) == serial


@pytest.mark.parametrize(
    "words", [["lock"], ["lock", "--check"], ["render"], ["render", "--check"]]
)
def test_who_waits_too_long_is_told_for_whom(
    root: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENVSMITH_LOCK_TIMEOUT", "0.5")
    with locked(root):
        begun = time.monotonic()
        code, told = end(start(root, *words))
    assert code == 4
    assert told.startswith(f"venvsmith: lock-timeout: {root}: another run of venvsmith (process ")
    assert f"(process {os.getpid()}: " in told
    assert told.count("\n") == 1
    assert time.monotonic() - begun < 30


def test_a_build_of_the_same_folder_waits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENVSMITH_LOCK_TIMEOUT", "0.5")
    place = root / ".venvsmith" / "local"
    place.mkdir(parents=True)
    with locked(place):
        code, told = end(start(root, "build", "--engine", "local", "--no-verify"))
    assert code == 4, told
    assert told.splitlines()[-1].startswith(f"venvsmith: lock-timeout: {place}: ")
