"""Disks that are full or read-only: exit 4, one line that names the place, and the old files."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolve.workshop import LocalIndex
from robust.kills import CONFIG
from venvsmith.files import JOURNAL, TEMP_PREFIX

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount small disks")


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A locked and rendered project whose configuration has moved on since."""
    index = LocalIndex(folder=tmp_path / "index")
    for name, version, *requires in (("lib", "1"), ("lib", "2"), ("left", "1", "lib")):
        index.add(name, version, *requires)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "source"
    folder.mkdir()
    configure(folder, lib=1, env="old")
    for command in ("lock", "render"):
        assert venvsmith(folder, command)[0] == 0
    return folder


def configure(folder: Path, *, lib: int, env: str) -> None:
    text = CONFIG.replace("LIB", str(lib)).replace("ENV", env)
    (folder / "venvsmith.toml").write_text(text)


def venvsmith(folder: Path, *words: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", "venvsmith", "-q", *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in ("locks", "docker")
        for path in (folder / part).rglob("*")
        if path.is_file()
    }


def leftovers(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.name == JOURNAL or p.name.startswith(TEMP_PREFIX)]


@pytest.mark.parametrize("command", ["lock", "render"])
def test_a_disk_that_fills_up_keeps_what_was_there(
    source: Path, tmp_path: Path, command: str
) -> None:
    """One page more each time, from a full disk to one on which all of it fits."""
    codes = []
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=16m", "tmpfs") as disk:
        root = disk / "project"
        shutil.copytree(source, root)
        before = files(root)
        configure(root, lib=2 if command == "lock" else 1, env="new")
        for pages in (0, 2, 5, 4000):
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(max(0, free - pages * 4096)))
            code, told = venvsmith(root, command)
            codes.append(code)
            ballast.unlink()
            assert leftovers(root) == []
            if code:
                assert files(root) == before
                assert told.startswith("venvsmith: disk: /"), told
                assert told.count("\n") == 1
    assert codes[0] == 4
    assert set(codes[:-1]) <= {0, 4}
    assert codes[-1] == 0


@pytest.mark.parametrize("command", ["lock", "render", "build"])
def test_a_read_only_folder_is_named(source: Path, tmp_path: Path, command: str) -> None:
    configure(source, lib=2 if command == "lock" else 1, env="new")
    before = files(source)
    words = ["build", "--engine", "local"] if command == "build" else [command]
    with mounted(tmp_path / "here", "--bind", str(source)) as root:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
        code, told = venvsmith(root, *words)
        assert venvsmith(root, "lock", "--check", "--offline")[0] == (1 if command == "lock" else 0)
        assert venvsmith(root, "render", "--check")[0] == 1
    assert (code, files(source)) == (4, before), told
    assert told.startswith(f"venvsmith: read-only: {root}"), told
    assert told.count("\n") == 1


def test_a_full_temporary_folder_is_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(source, lib=2, env="new")
    before = files(source)
    # Room for one file: Python looks for another temporary folder where there is none at all.
    with mounted(tmp_path / "temp", "-t", "tmpfs", "-o", "size=4k", "tmpfs") as temp:
        monkeypatch.setenv("TMPDIR", str(temp))
        code, told = venvsmith(source, "lock")
    assert (code, files(source)) == (4, before), told
    assert told.startswith(f"venvsmith: disk: {temp}"), told
