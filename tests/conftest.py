"""What all tests share: where an engine is needed, and tiny wheels to build with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from registries import serving

# What the tests start hundreds of times is compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell that starts the tests in the background lets them, and all they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A busy machine is no fault of what is tried; CI's own profile has that already.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if settings.get_current_profile_name() == "default":
    settings.load_profile("busy")


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


def pytest_sessionstart() -> None:
    """Have CI's examples depend on their tests alone.

    Hypothesis draws constants of all sources that are loaded: each change would get other examples.
    """
    if settings.get_current_profile_name() == "ci":
        vars(providers)["is_local_module_file"] = lambda _: False


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out engine tests aloud where there is none."""
    if item.get_closest_marker("engine") is not None and (why := engine_trouble()) is not None:
        pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a test that was left out, for whatever reason, a failure in CI."""
    report = yield
    left_out = report.skipped and not hasattr(report, "wasxfail")
    if left_out and os.environ.get("VENVSMITH_REQUIRE_ENGINE") == "1":
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome, report.longrepr = "failed", f"nothing may be left out here: {why}"
    return report


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an image registry of this session's own on the loopback; its ``host:port``."""
    if shutil.which("docker-registry") is None:
        pytest.skip("there is no docker-registry here: run 'make engine'")
    with serving(tmp_path_factory.mktemp("registry")) as address:
        yield address
