"""Faults that reach a build through BuildKit: the code and the line are those of the table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engines import ca_options, change
from faults import PASSWORD, USER, Fault, FaultyIndex
from indexes import gateway
from robust.test_index_faults import CONFIG, ROWS, as_said
from robust.test_interrupts import outputs, processes
from waiting import eventually

LOGIN = {"VENVSMITH_INDEX_OWN_USERNAME": USER, "VENVSMITH_INDEX_OWN_PASSWORD": PASSWORD}
pytestmark = [pytest.mark.engine, pytest.mark.network]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A locked project whose one distribution comes from an index that can fail."""

    root: Path
    index: FaultyIndex

    def run(self, *words: str) -> tuple[str, list[str]]:
        """Return code and slug, and the lines that were said."""
        patience = {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(self.root.parent / "cache")}
        done = subprocess.run(
            [sys.executable, "-m", "venvsmith", *words], cwd=self.root, text=True,
            env={**os.environ, **LOGIN, **patience}, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        assert PASSWORD not in done.stdout + done.stderr
        return as_said(done.returncode, done.stderr), done.stderr.splitlines()

    def build(self) -> tuple[str, str]:
        said, lines = self.run("-q", "build", "--no-verify", *ca_options())
        return said, lines[-1]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("faults")
    root = folder / "demo"
    root.mkdir()
    with FaultyIndex(folder=folder / "wheels", host=gateway(), private=True) as index:
        index.add("lib", "1")
        url = index.url.replace(f"{USER}:{PASSWORD}@", "")
        name = f"vs-faults-{uuid.uuid4().hex[:8]}"
        text = CONFIG.replace("INSTALLER", "uv").replace("[images.demo]", f"[images.{name}]")
        own = f'[indexes.own]\nurl = "{url}"\npackages = ["lib"]\n'
        (root / "venvsmith.toml").write_text(text + own)
        own_project = Project(root=root, index=index)
        said, lines = own_project.run("lock")
        assert said == "0", lines
        assert own_project.run("render")[0] == "0"
        yield own_project
    argv = ["docker", "image", "rm", "-f", f"{name}:cpu"]
    subprocess.run(argv, capture_output=True, check=False)


@pytest.fixture(autouse=True)
def well(project: Project) -> Iterator[None]:
    yield
    project.index.put(None)


def installing(port: int) -> bool:
    """Tell whether a program of any container still talks to the index."""
    argv = ["ss", "-Htn", "state", "established", "src", f"{gateway()}:{port}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout != ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_a_build_with_what_it_started(
    project: Project, number: signal.Signals
) -> None:
    before = outputs(project.root)
    project.index.put(Fault(kind="silent"))
    asked = len(project.index.seen)
    mark = f"mark-{uuid.uuid4()}"
    running = subprocess.Popen(
        [sys.executable, "-m", "venvsmith", "-q", "build", *ca_options()], cwd=project.root,
        env={**os.environ, **LOGIN, "VENVSMITH_MARK": mark}, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: len(project.index.seen) > asked or running.poll() is not None, 300)
    running.send_signal(number)
    # The index would end its silence after a minute.
    told = running.communicate(timeout=40)[1]
    assert running.returncode == 128 + number, told
    assert told.strip() in {"", "venvsmith: interrupted"}
    eventually(lambda: processes(mark) == {})
    eventually(lambda: not installing(project.index.port), 15)
    assert outputs(project.root) == before


@pytest.mark.e2e
def test_an_index_that_fails_in_a_build(project: Project) -> None:
    project.index.put(Fault(kind="status", status=500))
    said, line = project.build()
    assert said == ROWS["500"].build["uv"], line
    assert "step install:layer-base-cpu" in line


def test_an_index_that_takes_no_login_in_a_build(project: Project) -> None:
    project.index.put(Fault(kind="status", status=403))
    said, line = project.build()
    assert said == ROWS["403"].build["uv"], line
    assert "VENVSMITH_INDEX_OWN_PASSWORD" in line


def test_another_file_than_was_locked_in_a_build(project: Project) -> None:
    wheel = next(project.index.folder.glob("lib-1-*"))
    right = wheel.read_bytes()
    project.index.change(wheel)
    said, line = project.build()
    assert said == ROWS["another file of the name"].build["uv"], line
    assert "lib==1" in line
    wheel.write_bytes(right)


def test_a_step_that_fails_in_a_build(project: Project) -> None:
    change(project.root, r'imports = \["lib"\]', 'imports = ["no_such_module"]')
    said, line = project.build()
    assert said == "1 build-step", line
    assert "step rehearse: failed: import no_such_module fails" in line
    change(project.root, r'imports = \["no_such_module"\]', 'imports = ["lib"]')


def test_an_index_that_refuses_connections_in_a_build(project: Project) -> None:
    """Comes last: the index ends here. Layers that were built already would not ask it."""
    project.index.add("lib", "2")
    change(project.root, r'requires = \["lib"\]', 'requires = ["lib==2"]')
    assert project.run("lock")[0] == "0"
    project.index.__exit__()
    said, line = project.build()
    assert said == ROWS["connection refused"].build["uv"], line
    assert "the connection is refused" in line
