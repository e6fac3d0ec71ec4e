"""The command as a person meets it, and that what it writes locks and builds."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from venvsmith.config import load
from venvsmith.init.compose import slug

PREFIX = "winit"
DOCKERFILE = """\
FROM venvsmith-test/bookworm:1
RUN python3.11 -m venv /opt/venv && /opt/venv/bin/pip install idna==3.10
RUN useradd -u 1042 app && mkdir -p /data && chown app /data
COPY app.py /srv/
ENV PATH=/opt/venv/bin:$PATH GREETING=hello
USER app
WORKDIR /data
CMD ["python", "/srv/app.py"]
"""
APP = """\
import getpass, idna, os, sys
open("written", "w").close()
print(os.environ["GREETING"], getpass.getuser() and os.getuid(), idna.__version__, sys.prefix)
"""


def venvsmith(*words: str, cwd: Path, timeout: int = 60) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "venvsmith", *words]
    return subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_what_lies_in_the_folder_is_taken_and_said_and_nothing_is_overwritten(
    tmp_path: Path,
) -> None:
    (tmp_path / "requirements.txt").write_text("httpx\n")
    (tmp_path / "Dockerfile").write_text("FROM node:22\nRUN npm ci\n")
    done = venvsmith("init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote venvsmith.toml\n"
    assert "from requirements.txt, which lies here" in done.stderr
    assert done.stderr.splitlines()[-1] == "next: venvsmith lock"
    before = (tmp_path / "venvsmith.toml").read_bytes()
    again = venvsmith("init", "--blank", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert (tmp_path / "venvsmith.toml").read_bytes() == before
    forced = venvsmith("init", "--blank", "--force", cwd=tmp_path)
    stage = slug(tmp_path.name)
    assert forced.stderr == f"next: fill in stages.{stage}.requires, then venvsmith lock\n"
    header = (tmp_path / "venvsmith.toml").read_text().splitlines()[0]
    assert header == f"# {tmp_path.name}: made by `venvsmith init`."


@pytest.mark.parametrize("words", [(), ("--config", "venvsmith.toml")])
def test_a_configuration_in_a_pyproject_is_not_overruled_by_a_new_file(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.venvsmith.project]\nname = "x"\n')
    done = venvsmith(*words, "init", "--yes", cwd=tmp_path)
    assert done.returncode == 2
    assert "pyproject.toml: there is one already, in [tool.venvsmith]; --force" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_a_pyproject_is_never_written_over(tmp_path: Path) -> None:
    before = '[project]\nname = "x"\nversion = "1"\n'
    (tmp_path / "pyproject.toml").write_text(before)
    done = venvsmith("--config", "pyproject.toml", "init", "--force", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "pyproject.toml").read_text()) == (2, before)


def test_a_dockerfile_may_be_named_as_verify_takes_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    done = venvsmith("init", "--from", "dockerfile:Dockerfile", "--stdout", cwd=tmp_path)
    assert "made from Dockerfile by" in done.stdout.splitlines()[0], done.stderr


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("absent.txt", None, 2, "no such file"),
        ("environment.yml", b"name: x\n", 2, "nothing that init reads"),
        ("Dockerfile", b"RUN x\n", 3, "FROM"),
        ("pyproject.toml", b"[project\n", 2, "no TOML"),
        ("requirements.txt", b"\xff\xfea\x00", 2, "UTF-8"),
        ("requirements.txt", b"-r requirements.txt\n", 2, "include"),
        ("requirements.txt", b"-r gone.txt\n", 2, "gone.txt"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_in_a_line(
    tmp_path: Path, name: str, content: bytes | None, code: int, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = venvsmith("init", "--from", name, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert not (tmp_path / "venvsmith.toml").exists()


def test_a_terminal_is_asked_and_a_wrong_answer_is_asked_again(tmp_path: Path) -> None:
    answers = b"shop\n3.x\n3.11\n\nfastapi uvicorn>=0.30\n"
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "venvsmith", "init"])  # noqa: S606
    os.write(terminal, answers)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    assert b"expected a Python minor version" in shown
    project = load(tmp_path / "venvsmith.toml")
    assert (project.name, project.python) == ("shop", "3.11")
    assert project.stages["shop"].requires == ("fastapi", "uvicorn>=0.30")
    assert project.bases["slim"].build == "python:3.11-bookworm"


@pytest.mark.network
def test_a_requirements_file_goes_all_the_way_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("idna==3.10\n")
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / ".python-version").write_text(f"{minor}\n")
    for words in (
        ("init", "--from", "requirements.txt"),
        ("lock",),
        ("build", "--engine", "local"),
    ):
        done = venvsmith(*words, cwd=tmp_path, timeout=300)
        assert done.returncode == 0, done.stderr
    lock = next((tmp_path / "locks").glob("*.cpu.txt")).read_text()
    assert "idna==3.10" in lock


@pytest.mark.engine
@pytest.mark.network
def test_a_dockerfile_goes_all_the_way_through_the_engine(tmp_path: Path) -> None:
    root = tmp_path / PREFIX
    root.mkdir()
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "app.py").write_text(APP)
    try:
        for words in (
            ("init", "--from", "Dockerfile"),
            ("lock",),
            ("render",),
            ("build", "--ca-bundle", "/etc/ssl/certs/ca-certificates.crt"),
        ):
            done = venvsmith(*words, cwd=root, timeout=400)
            assert done.returncode == 0, done.stderr
        ran = subprocess.run(
            ["docker", "run", "--rm", "--network", "none", f"{PREFIX}:cpu"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.stdout.split() == ["hello", "1042", "3.10", "/opt/venv"], ran.stderr
    finally:
        subprocess.run(["docker", "rmi", "-f", f"{PREFIX}:cpu"], capture_output=True, check=False)
