"""What all tests share: where an engine is needed, and tiny wheels to build with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from registries import serving


@cache
def engine_trouble() -> str | None:
    """Return why no engine test can run here, or None."""
    try:
        done = subprocess.run(
            ["docker", "buildx", "inspect"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"docker buildx cannot be run: {exc}"
    if done.returncode != 0:
        return f"no Docker engine answers: {done.stderr.strip().splitlines()[-1:]}"
    if "venvsmith-test/bookworm" not in _images():
        return "the tests' base images are not there: run 'make engine'"
    return None


def _images() -> str:
    argv = ["docker", "images", "--format", "{{.Repository}}"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out engine tests aloud where there is none; in CI that is a failure."""
    if item.get_closest_marker("engine") is None:
        return
    if (why := engine_trouble()) is None:
        return
    if os.environ.get("VENVSMITH_REQUIRE_ENGINE") == "1":
        pytest.fail(f"an engine is required here: {why}", pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an image registry of this session's own on the loopback; its ``host:port``."""
    if shutil.which("docker-registry") is None:
        if os.environ.get("VENVSMITH_REQUIRE_ENGINE") == "1":
            pytest.fail("docker-registry is required here: run 'make engine'", pytrace=False)
        pytest.skip("there is no docker-registry here: run 'make engine'")
    with serving(tmp_path_factory.mktemp("registry")) as address:
        yield address
