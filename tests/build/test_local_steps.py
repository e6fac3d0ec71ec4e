"""What a step of the local engine sees of this machine, and what this machine sees of it."""

from __future__ import annotations

import platform
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from values import plan, project
from venvsmith.build.local import build_local
from venvsmith.errors import JudgedError
from venvsmith.model.plan import BuildStage, Step
from venvsmith.model.project import Platform
from venvsmith.sandbox import Sandbox

PASSWORD = "vs-canary-proxy-31"  # noqa: S105 - a canary
AMONG_ARGUMENTS = "grep -al 'vs-[c]anary' /proc/[0-9]*/cmdline"


def one_stage(*lines: str) -> tuple[BuildStage, ...]:
    told = r"printf 'python\n3.11\nmachine\nlibc\n' > /venvsmith/interpreter"
    step = Step(id="files", kind="files", title="One step.", run=(told, *lines))
    return (BuildStage(name="final", parent="base", steps=(step,)),)


def carry_out(folder: Path, *stages: BuildStage) -> Path:
    """Build an image of these stages in a sandbox and return its root folder."""
    here: dict[str, Platform] = {
        "x86_64": Platform(arch="amd64"),
        "aarch64": Platform(arch="arm64"),
    }
    built = build_local(
        replace(plan(), platforms=(here[platform.machine()],), stages=stages, venvs=()),
        project=project(),
        folder=folder / "built",
        sandbox=Sandbox(kind="bubblewrap"),
        uv_cache=folder / "cache",
        say=lambda _: None,
    )
    return built.root


@pytest.fixture(autouse=True)
def _behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (make engine installs it)")
    monkeypatch.setenv("https_proxy", f"http://robot:{PASSWORD}@proxy.example.com:3128")


def test_a_step_knows_the_proxy_and_no_list_of_programs_shows_its_password(tmp_path: Path) -> None:
    knows = f'case "$https_proxy" in *{PASSWORD[:3]}*) ;; *) exit 1; esac'
    root = carry_out(tmp_path, *one_stage(knows, f"! {AMONG_ARGUMENTS}"))
    assert root.is_dir()


def test_what_a_step_says_of_the_proxy_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(JudgedError) as caught:
        carry_out(tmp_path, *one_stage('echo "refused: ${https_proxy#*robot:}" >&2', "exit 1"))
    assert "refused: ***@proxy.example.com:3128" in str(caught.value)


def test_an_install_that_fails_is_told_at_once_though_an_earlier_one_still_runs(
    tmp_path: Path,
) -> None:
    stages = [
        BuildStage(
            name=name, parent="base", steps=(Step(id=name, kind="install", title="", run=(line,)),)
        )
        for name, line in (("first", "sleep 600"), ("second", "echo no such wheel >&2; exit 1"))
    ]
    with pytest.raises(JudgedError, match="failed: no such wheel"):
        carry_out(tmp_path, *stages)
