"""Completion, by a real bash."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

FAMILY = Path(__file__).parents[1] / "families" / "small"
TWO_VARIANTS = """\
[project]
name = "demo"
python = "3.11"
[bases.slim]
image = "python:3.11-slim-bookworm"
[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]
[variants.cuda]
base = "slim"
platforms = ["linux/amd64"]
[stages.torch]
requires = ["torch"]
[stages.whisperx]
extends = "torch"
variants = ["cuda"]
requires = ["whisperx"]
[images.asr]
stage = "whisperx"
"""


def of_the_engine(folder: Path, *typed: str) -> set[str]:
    """Return what bash is offered; asked again where a busy engine is slower than a Tab key."""
    return next((found for _ in range(5) if (found := offered(folder, *typed, docker=True))), set())


def offered(folder: Path, *typed: str, docker: bool = False) -> set[str]:
    """Return what bash is offered for a line, broken into words as bash breaks them."""
    script = (
        'eval "$(_VENVSMITH_COMPLETE=bash_source venvsmith)"\n'
        'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n'
        '_venvsmith_completion venvsmith\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    scripts = sysconfig.get_path("scripts")
    env = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    if not docker:
        env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    argv = ["bash", "-c", script, "bash", "venvsmith", *typed]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "venvsmith.toml").write_text(TWO_VARIANTS)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    (tmp_path / "src").mkdir()
    (tmp_path / "Dockerfile").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        pytest.param(["ren"], {"render"}, id="a command"),
        pytest.param(["render", "--tem"], {"--template"}, id="an option"),
        pytest.param(["graph", "--format", "j"], {"json"}, id="a choice"),
        pytest.param(["lock", ""], {"torch", "whisperx"}, id="stages"),
        pytest.param(["lock", "torch", ""], {"whisperx"}, id="stages not yet given"),
        pytest.param(["build", ""], {"asr"}, id="images"),
        pytest.param(["lock", "--variant", ""], {"cpu", "cuda"}, id="variants"),
        pytest.param(["lock", "whisperx", "--variant", ""], {"cuda"}, id="a stage's variants"),
        pytest.param(["build", "asr", "--variant", ""], {"cuda"}, id="an image's variants"),
        pytest.param(["explain", "interpreter-d"], {"interpreter-dangling"}, id="rules"),
        pytest.param(["verify", "a", "--ignore", "pip-m"], {"pip-missing="}, id="a rule to ignore"),
        pytest.param(["verify", "ven"], {"venv:"}, id="kinds of targets"),
        # Bash has a colon as a word of its own, and keeps what stands before it.
        pytest.param(["verify", "venv", ":"], {".venv", "src/"}, id="folders behind a kind"),
        pytest.param(["compare", "a", ":", "1", "bundle", ":", "Dock"], {"Dockerfile"}, id="files"),
    ],
)  # fmt: skip
def test_bash_completes(typed: list[str], expected: set[str], project: Path) -> None:
    assert offered(project, *typed) == expected


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        pytest.param("[stages", ["lock", ""], id="a broken configuration"),
        pytest.param(None, ["lock", ""], id="none"),
        pytest.param(TWO_VARIANTS, ["--config", "nowhere.toml", "build", ""], id="a wrong name"),
        pytest.param(TWO_VARIANTS, ["verify", "venv", ":", "nowhere/"], id="no such folder"),
        pytest.param(TWO_VARIANTS, ["lokc", "--var"], id="an unknown command"),
    ],
)
def test_what_is_wrong_offers_nothing_and_says_nothing(
    text: str | None, typed: list[str], tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "venvsmith.toml").write_text(text)
    assert offered(tmp_path, *typed) == set()


@pytest.mark.engine
def test_the_images_of_the_engine_complete_whole_and_behind_their_kind(tmp_path: Path) -> None:
    whole = of_the_engine(tmp_path, "verify", "venvsmith-test/bookw")
    assert "venvsmith-test/bookworm:1" in whole
    assert of_the_engine(tmp_path, "verify", "docker", ":", "venvsmith-test/bookw") == whole
    assert of_the_engine(tmp_path, "verify", "venvsmith-test/bookworm", ":") == {"1"}
