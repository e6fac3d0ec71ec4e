"""``dockerfile:FILE`` as a target: the folder around it, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from venvsmith.errors import UnsafeInputError, UsageError
from venvsmith.model.expected import Expected
from venvsmith.target.dockerfile import dockerfile_facts
from venvsmith.verify import Options, judge

DOCKERFILE = f"""\
FROM python:3.11-slim@sha256:{"0" * 64}
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv venv && uv pip install whisperx
RUN uv sync --frozen
COPY . .
"""
LOCK = """\
version = 1
[[package]]
name = "app"
source = {{ virtual = "." }}
[[package]]
name = "{0}"
source = {{ registry = "https://wheels.example.com/simple" }}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "pyproject.toml").write_text("[project]\nname='app'\n")
    (tmp_path / "uv.lock").write_text(LOCK.format("rich"))
    return tmp_path


def verify(file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "venvsmith", "verify", f"dockerfile:{file}", *more]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def told(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stdout.split())


def rules_told(file: Path) -> list[tuple[str, str]]:
    report = json.loads(verify(file, "--format", "json").stdout)
    return [(f["rule"], f["severity"]) for f in report["findings"]]


def test_the_context_is_the_folder_that_has_what_is_copied(project: Path) -> None:
    dockerfile = dockerfile_facts(str(project / "docker/Dockerfile")).dockerfile
    assert dockerfile is not None
    context = dockerfile.context
    assert context is not None
    assert [(lock.path, lock.project, lock.names) for lock in context.locks] == [
        ("uv.lock", "app", ("app", "rich"))
    ]


def test_a_lock_that_lacks_the_package_makes_the_prune_sure_and_one_that_has_it_clears_it(
    project: Path,
) -> None:
    file = project / "docker/Dockerfile"
    assert rules_told(file)[0] == ("dockerfile-sync-prunes", "error")
    (project / "uv.lock").write_text(LOCK.format("whisperx"))
    assert "dockerfile-sync-prunes" not in dict(rules_told(file))


def test_a_lock_that_is_nested_too_deeply_says_nothing(project: Path) -> None:
    (project / "uv.lock").write_text("package = " + "[" * 20_000)
    dockerfile = dockerfile_facts(str(project / "docker/Dockerfile")).dockerfile
    assert dockerfile is not None
    assert dockerfile.context is not None
    assert dockerfile.context.locks == ()


def test_a_venv_in_the_context_is_an_error_until_it_is_ignored(project: Path) -> None:
    file = project / "docker/Dockerfile"
    assert ("dockerfile-no-venv-ignore", "warning") in rules_told(file)
    (project / ".venv").mkdir()
    (project / ".venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    assert ("dockerfile-no-venv-ignore", "error") in rules_told(file)
    (project / ".dockerignore").write_text("# local\n/.venv/\n")
    assert "dockerfile-no-venv-ignore" not in dict(rules_told(file))


def test_without_a_context_the_question_is_left_open_aloud(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(DOCKERFILE)
    report = json.loads(verify(file, "--format", "json").stdout)
    assert [s["rule"] for s in report["checks"]["skipped"]] == ["dockerfile-no-venv-ignore"]
    assert report["checks"]["ran"] > 0


def test_exit_codes_of_a_good_a_failing_and_an_unanswered_dockerfile(tmp_path: Path) -> None:
    good = tmp_path / "Dockerfile"
    good.write_text("FROM python:3.11-slim\nRUN pip install rich\n")
    assert verify(good).returncode == 0
    asked = verify(good, "--import", "rich")
    assert (asked.returncode, "judge its image" in told(asked)) == (5, True)
    (tmp_path / "lock.txt").write_text("rich==14.0.0\n")
    held = verify(good, "--lock", str(tmp_path / "lock.txt"))
    assert (held.returncode, "lock.txt was not compared" in told(held)) == (5, True)
    still = verify(good, "--lock", str(tmp_path / "lock.txt"), "--static")
    assert (still.returncode, "lock.txt was not compared" in told(still)) == (5, True)
    good.write_text("FROM python:3.11-slim\nrich\n")
    failed = verify(good)
    assert failed.returncode == 1
    assert "Line 2 starts with 'rich'" in failed.stdout


def test_what_a_stage_promises_is_left_open_unless_only_the_files_are_to_be_judged(
    tmp_path: Path,
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python:3.11-slim\nRUN pip install rich\n")
    facts = dockerfile_facts(str(file))
    commands = (("rich", "--help"), ("rich", "-V"))
    stage = Expected(pins={"rich": "1"}, imports=("rich",), commands=commands, source="app.txt")

    def left_of(**options: Any) -> tuple[str, set[tuple[str, str, bool]]]:
        report = judge(facts, expectations=[stage], options=Options(**options))
        left = {(s.rule, s.subject, s.asked) for s in report.checks.skipped}
        return report.verdict, left - {("dockerfile-no-venv-ignore", "", False)}

    subjects = (
        ("dist-missing", ""), ("import-failed", "rich"),
        ("command-failed", "rich --help"), ("command-failed", "rich -V"),
    )  # fmt: skip
    assert left_of() == ("inconclusive", {(*each, True) for each in subjects})
    assert left_of(static=True) == ("pass", {(*each, False) for each in subjects})
    verdict, left = left_of(static=True, asked=Expected(imports=("rich",)))
    assert (verdict, {each for each in left if each[2]}) == (
        "inconclusive", {("import-failed", "rich", True)},
    )  # fmt: skip


def test_what_is_not_there_or_no_dockerfile_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        dockerfile_facts(str(tmp_path / "Dockerfile"))
    with pytest.raises(UsageError, match="this is a folder"):
        dockerfile_facts(str(tmp_path))
    (tmp_path / "image").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnsafeInputError, match="not UTF-8"):
        dockerfile_facts(str(tmp_path / "image"))
    gone = verify(tmp_path / "gone")
    assert gone.returncode == 2
    assert gone.stderr.count("\n") == 1
