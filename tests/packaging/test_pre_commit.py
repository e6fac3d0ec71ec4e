"""The hooks for pre-commit, run by pre-commit itself from a repository of venvsmith."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAMILY = ROOT / "tests" / "families" / "small"
SHIPPED = (
    ".pre-commit-hooks.yaml", "LICENSE", "README.md", "pyproject.toml",
    "schema", "src", "templates",
)  # fmt: skip
HOOKS = ["venvsmith-lock", "venvsmith-render", "venvsmith-dockerfile"]
pytestmark = [pytest.mark.e2e, pytest.mark.network]


def run(*argv: str, cwd: Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    drop = ("GIT_", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    if home is not None:
        env["PRE_COMMIT_HOME"] = str(home)
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)


def committed(folder: Path) -> str:
    """Make a folder a git repository of one commit and return it."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "all"]):
        done = run("git", *words, cwd=folder)
        assert done.returncode == 0, done.stderr
    return run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in step, in which the hooks are installed."""
    ours = tmp_path_factory.mktemp("venvsmith")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, ours / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, ours / name)
    revision = committed(ours)
    project = tmp_path_factory.mktemp("hooked") / "project"
    shutil.copytree(FAMILY, project)
    hooks = "".join(f"      - id: {name}\n" for name in HOOKS)
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {ours}\n    rev: {revision}\n    hooks:\n{hooks}"
    )
    (project / ".gitignore").write_text(".venvsmith/\n")
    rendered = subprocess.run([sys.executable, "-m", "venvsmith", "-q", "render"], cwd=project)
    assert rendered.returncode == 0
    committed(project)
    return project


def failed(project: Path, *, home: Path) -> set[str]:
    """Run all hooks on all files and return those that fail; the others must have run."""
    argv = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"]
    done = run(*argv, cwd=project, home=home)
    told = done.stdout + done.stderr
    results = [line for line in told.splitlines() if line.endswith(("Passed", "Failed", "Skipped"))]
    assert len(results) == len(HOOKS), told
    assert "Skipped" not in told
    assert done.returncode == int("Failed" in told), told
    return {hook for hook, line in zip(HOOKS, results, strict=True) if line.endswith("Failed")}


def home_of(good: Path) -> Path:
    """Return where pre-commit keeps the environment that it makes for the hooks, once for all."""
    return good.parent / "home"


def test_all_hooks_pass_on_a_project_in_step(good: Path) -> None:
    assert failed(good, home=home_of(good)) == set()


@pytest.mark.parametrize(
    ("file", "change", "hooks"),
    [
        # What is rendered from locks that are out of date is out of date with them.
        pytest.param(
            "venvsmith.toml", ("pygments==2.19.2", "pygments>=2.19"),
            {"venvsmith-lock", "venvsmith-render"}, id="a new requirement",
        ),
        pytest.param(
            "docker/Dockerfile.pages.cpu", ("WORKDIR", "# by hand\nWORKDIR"),
            {"venvsmith-render"}, id="a Dockerfile changed by hand",
        ),
        pytest.param(
            "Dockerfile", ("", "FROM debian\nRUN uv pip list x==1.0\n"),
            {"venvsmith-dockerfile"}, id="a Dockerfile that fails",
        ),
    ],
)  # fmt: skip
def test_the_hooks_fail_on_what_they_are_for(
    good: Path, file: str, change: tuple[str, str], hooks: set[str], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(good, project)
    path = project / file
    text = path.read_text() if path.exists() else ""
    path.write_text(text.replace(*change, 1))
    run("git", "add", "-A", cwd=project)
    assert failed(project, home=home_of(good)) == hooks
