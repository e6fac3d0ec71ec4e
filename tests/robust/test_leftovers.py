"""What a run leaves that was killed with -9, and that the next command removes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faults import PASSWORD, Fault, FaultyIndex
from robust.test_index_faults import CONFIG
from robust.test_interrupts import processes
from venvsmith.engine import OWNER_LABEL
from venvsmith.folders import Hold, hold
from venvsmith.scratch import MEMORY, scratch, sweep
from waiting import eventually

IMAGE = "venvsmith-test/bookworm:1"
NAP = "import time; time.sleep(600)"


def start(*words: str, env: dict[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "venvsmith", "-q", *words]
    return subprocess.Popen(
        argv, cwd=cwd, env={**os.environ, **env}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def in_memory(index: FaultyIndex) -> list[Path]:
    """Return the files in memory that have an index's password; other runs have their own there."""
    found = []
    for path in MEMORY.glob("venvsmith-run-*/*"):
        try:
            if f"{PASSWORD}@{index.host}:{index.port}" in path.read_text(errors="replace"):
                found.append(path)
        except OSError:
            continue
    return found


def containers() -> dict[str, str]:
    told = subprocess.run(
        ["docker", "ps", "--all", "--filter", f"label={OWNER_LABEL}",
         "--format", f'{{{{.ID}}}} {{{{.Label "{OWNER_LABEL}"}}}}'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in told.stdout.splitlines())


def test_a_sweep_takes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "venvsmith-run-mine").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "venvsmith-run-12345678").symlink_to(tmp_path / "elsewhere")
    code = (
        "import sys, time; from pathlib import Path; from venvsmith.scratch import scratch\n"
        f"with scratch(Path({str(tmp_path)!r})) as folder:\n"
        "    (folder / 'in').touch(); print(folder, flush=True); time.sleep(60)"
    )
    with (
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other,
        scratch(tmp_path) as own,
    ):
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        before = set(tmp_path.iterdir())
        assert sweep(tmp_path) == 0
        assert set(tmp_path.iterdir()) == before
        other.kill()
        other.wait()
        assert sweep(tmp_path) == 1
        assert set(tmp_path.iterdir()) == before - {theirs}
        assert own.is_dir()
    assert not own.exists()


def test_no_secret_of_a_killed_build_outlives_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "demo"
    root.mkdir()
    (root / "venvsmith.toml").write_text(CONFIG.replace("INSTALLER", "pip"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    mark = {"VENVSMITH_MARK": str(tmp_path)}
    with FaultyIndex(folder=tmp_path / "wheels") as index:
        index.add("lib", "1")
        for variable in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
            monkeypatch.setenv(variable, index.url)
        for words in (("lock",), ("build", "--engine", "local", "--no-verify")):
            index.put(None)
            if words != ("lock",):
                assert start("lock", env={}, cwd=root).wait(120) == 0
            index.put(Fault(kind="silent"))
            asked = len(index.seen)
            running = start(*words, env=mark, cwd=root)
            eventually(lambda: len(index.seen) > asked)  # noqa: B023 - called at once
            running.kill()
            running.wait()
            if words != ("lock",):
                assert in_memory(index) != []
            for left in processes(mark["VENVSMITH_MARK"]):
                os.kill(left, signal.SIGKILL)
            assert list(tmp_path.glob("venvsmith-run-*")) + in_memory(index) != []
            assert start("graph", env={}, cwd=root).wait(120) == 0
            assert in_memory(index) == []
            assert list(tmp_path.glob("venvsmith-run-*")) == []


def test_a_folder_that_a_sweep_has_taken_meanwhile_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []

    def sweeping(folder: Path) -> Hold:
        if not taken:
            taken.append(folder)
            raise BlockingIOError
        return hold(folder)

    monkeypatch.setattr("venvsmith.scratch.hold", sweeping)
    with scratch(tmp_path) as folder:
        assert folder.is_dir()
        assert [folder] != taken


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_a_verification_with_its_container(
    tmp_path: Path, number: signal.Signals
) -> None:
    mark = {"VENVSMITH_MARK": str(tmp_path)}
    running = start("verify", IMAGE, "--command", f"python3 -c '{NAP}'", env=mark, cwd=tmp_path)
    own = f"/{running.pid}/"
    eventually(lambda: any(own in label for label in containers().values()))
    running.send_signal(number)
    assert running.wait(60) == 128 + number
    eventually(lambda: processes(mark["VENVSMITH_MARK"]) == {})
    assert not any(own in label for label in containers().values())


@pytest.mark.engine
def test_the_container_of_a_killed_verify_is_removed_by_the_next_one(tmp_path: Path) -> None:
    words = ("verify", IMAGE, "--command", f"python3 -c '{NAP}'")
    running = start(*words, env={}, cwd=tmp_path)
    own = f"/{running.pid}/"
    eventually(lambda: any(own in label for label in containers().values()))
    running.kill()
    running.wait()
    assert any(own in label for label in containers().values())
    assert start("verify", IMAGE, env={}, cwd=tmp_path).wait(300) in {0, 1}
    assert not any(own in label for label in containers().values())
