"""An engine that dies while it works, and one whose disk is full; the next run ends well.

On an engine of the tests' own, whose data lie on a small disk of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import ca_options, copied_family, image_of
from robust.test_index_faults import as_said
from second_engine import SecondEngine
from venvsmith.engine import OWNER_LABEL

BASE = "venvsmith-test/bookworm:1"
pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondEngine]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("an engine of one's own needs dockerd and root")
    own = SecondEngine(folder=tmp_path_factory.mktemp("engine") / "d")
    disk(own).mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "none", str(disk(own))], check=True)
    own.start()
    own.take(BASE)
    yield own
    own.remove()


def disk(engine: SecondEngine) -> Path:
    return engine.folder / "data"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with copied_family(tmp_path_factory.mktemp("family")) as folder:
        yield folder


def start(project: Path, engine: SecondEngine, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "venvsmith", *words], cwd=project, env=engine.env, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(running: subprocess.Popen[str]) -> str:
    told = running.communicate(timeout=120)[1]
    print(told[-300:])
    return as_said(running.returncode, told)


def build(project: Path, engine: SecondEngine, *words: str) -> str:
    return ended(start(project, engine, "build", *ca_options(), *words))


def test_an_engine_that_dies_in_a_build(project: Path, engine: SecondEngine) -> None:
    with start(project, engine, "build", *ca_options()) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if "tools 1/1] RUN" in line)
        engine.kill()
        begun = time.monotonic()
        assert ended(running) == "4 engine-failed"
        assert time.monotonic() - begun < 20
    engine.start()
    assert build(project, engine) == "0"


def test_an_engine_that_dies_in_a_verification(project: Path, engine: SecondEngine) -> None:
    nap = "python -c 'import time; time.sleep(60)'"
    with start(project, engine, "verify", image_of(project), "--command", nap) as running:
        for _ in range(300):
            if engine.docker("ps", "--quiet", "--filter", f"label={OWNER_LABEL}").stdout:
                break
            time.sleep(0.1)
        engine.kill()
        begun = time.monotonic()
        assert ended(running) == "4 engine-failed"
        assert time.monotonic() - begun < 20
    engine.start()
    assert ended(start(project, engine, "verify", image_of(project))) == "0"
    left = engine.docker("ps", "--all", "--quiet", "--filter", f"label={OWNER_LABEL}").stdout
    assert left == ""


def test_an_engine_whose_disk_is_full(project: Path, engine: SecondEngine) -> None:
    ballast = disk(engine) / "ballast"
    free = shutil.disk_usage(disk(engine)).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - 2 * 2**20)
    assert build(project, engine, "--no-cache") == "4 disk"
    ballast.unlink()
    assert build(project, engine) == "0"
