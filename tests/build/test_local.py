"""The local engine in each sandbox, and in none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAMILY = Path(__file__).parents[1] / "families" / "small"
pytestmark = pytest.mark.network


def venvsmith(project: Path, *words: str, sandbox: str, code: int = 0) -> tuple[str, str]:
    argv = [sys.executable, "-m", "venvsmith", "--config", str(project / "venvsmith.toml"), *words]
    env = {**os.environ, "VENVSMITH_SANDBOX": sandbox}
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    shutil.copytree(FAMILY, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    return folder


@pytest.mark.parametrize("sandbox", ["bubblewrap", "unshare", "none"])
def test_a_build_without_a_daemon_is_verified_where_it_runs(project: Path, sandbox: str) -> None:
    if sandbox == "bubblewrap" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (make engine installs it)")
    copied = '{ from = "templates", to = "/app/templates" }'
    to_the_top = f'{copied}, {{ from = "top", to = "/" }}'
    file = project / "venvsmith.toml"
    file.write_text(file.read_text().replace(copied, to_the_top))
    (project / "top" / "new-here").mkdir(parents=True)
    (project / "top" / "new-here" / "file").touch()
    _, told = venvsmith(project, "build", "--engine", "local", sandbox=sandbox)
    assert ("the venv's final path will not be rehearsed" in told) == (sandbox == "none")
    built = project / ".venvsmith" / "local" / "pages.cpu"
    manifest = json.loads((built / "manifest.json").read_text())
    assert manifest["final_path"] == (sandbox != "none")
    if sandbox != "none":
        assert {"/venv", "/app/templates", "/new-here"} <= set(manifest["seen_at"])
    out, _ = venvsmith(
        project, "verify", f"rootfs:{built / 'root'}", "--format", "json", sandbox=sandbox
    )
    report = json.loads(out)
    assert (report["verdict"], report["score"]) == ("pass", 100)
    assert report["findings"] == []


def test_a_failed_local_build_leaves_the_last_good_one(project: Path) -> None:
    venvsmith(project, "build", "--engine", "local", sandbox="")
    built = project / ".venvsmith" / "local" / "pages.cpu"
    before = (built / "manifest.json").read_bytes()
    assert (project / ".venvsmith" / ".gitignore").read_text() == "*\n"
    file = project / "venvsmith.toml"
    file.write_text(file.read_text().replace('"jinja2", "pygments"]', '"no_such_module"]'))
    _, told = venvsmith(project, "build", "--engine", "local", sandbox="", code=1)
    assert told.splitlines()[-1].startswith(
        "venvsmith: build-step: pages.cpu: step rehearse: failed: import no_such_module fails"
    )
    assert (built / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in built.parent.iterdir()) == ["pages.cpu"]


def test_a_full_disk_is_the_surroundings_fault_and_told_as_such(
    project: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can make a small disk to fill")
    try:
        (project / ".venvsmith").symlink_to(disk)
        _, told = venvsmith(project, "build", "--engine", "local", sandbox="", code=4)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert told.splitlines()[-1].startswith("venvsmith: disk: ")


@pytest.mark.parametrize("command", [["render"], ["render", "--check"], ["build"]])
def test_locks_that_the_configuration_has_left_behind_are_not_built_from(
    project: Path, command: list[str]
) -> None:
    file = project / "venvsmith.toml"
    file.write_text(file.read_text().replace("pygments==2.19.2", "pygments==2.19.1"))
    engine = ["--engine", "local"] if command == ["build"] else []
    _, told = venvsmith(project, *command, *engine, sandbox="", code=1)
    assert told.splitlines()[-1] == (
        "venvsmith: drift: locks/pages.cpu.txt: stage 'pages' asks for pygments==2.19.1, and it"
        " has 2.19.2; run 'venvsmith lock'"
    )
