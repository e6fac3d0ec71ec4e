"""examples/service as a user meets it: locked, built, verified, and answering requests."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import ca_options, change, docker, venvsmith
from indexes import guarded
from resolve.workshop import LocalIndex

EXAMPLE = Path(__file__).parents[2] / "examples" / "service"
PATIENCE = 120
"""Seconds for a container to answer on a busy machine."""
pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A copy with an index that is there: its folder, and the name of its image."""
    index = LocalIndex(folder=tmp_path / "index")
    index.add("acme-glossary", "1.4")
    folder = tmp_path / "service"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    name = f"vs-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    monkeypatch.setenv("VENVSMITH_INDEX_COMPANY_USERNAME", "robot")
    monkeypatch.setenv("VENVSMITH_INDEX_COMPANY_PASSWORD", "not told")
    with guarded(index.folder, user="robot", password="not told") as (url, _):  # noqa: S106
        change(folder, r"https://wheels\.example\.com", url)
        change(folder, r"\[images\.service\]", f"[images.{name}]")
        for base in ("build", "runtime"):
            change(folder, rf'{base} = "python:.*"', f'{base} = "venvsmith-test/bookworm:1"')
        yield folder, f"{name}:cpu"
    subprocess.run(["docker", "image", "rm", "-f", f"{name}:cpu"], capture_output=True, check=False)


def ask(url: str, data: bytes | None = None) -> dict[str, object]:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, data, timeout=60) as answer:  # noqa: S310
                found: dict[str, object] = json.load(answer)
                return found
        except (ConnectionError, urllib.error.URLError):
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


@pytest.mark.parametrize("installer", ["uv", pytest.param("pip", marks=pytest.mark.e2e)])
def test_the_service_answers(service: tuple[Path, str], installer: str) -> None:
    folder, image = service
    change(folder, r'installer = "uv"', f'installer = "{installer}"')
    venvsmith(folder, "lock")
    venvsmith(folder, "build", *ca_options())  # and verify: it exits 1 where anything is wrong

    container = docker("run", "-d", "-p", "127.0.0.1::8000", image).strip()
    try:
        url = f"http://{docker('port', container, '8000').strip()}"
        health = ask(f"{url}/health")
        assert (health["transcribe-service"], health["acme-glossary"]) == ("1.0.0", "1.4")
        silence = ask(f"{url}/vad", bytes(2 * 16_000))
        assert (silence["seconds"], silence["speech"], silence["windows"]) == (1.0, [], 32)
        assert 0 < float(str(silence["highest"])) < 0.5
    finally:
        docker("rm", "-f", container)


def test_what_is_rendered_differs_by_installer_in_what_installs(service: tuple[Path, str]) -> None:
    folder, image = service
    venvsmith(folder, "lock")
    with_uv = _installs(folder, image)
    change(folder, r'installer = "uv"', 'installer = "pip"')
    venvsmith(folder, "lock")
    with_pip = _installs(folder, image)
    assert with_uv.keys() == with_pip.keys()
    assert {*with_uv.values()} == {"uv"}
    assert {*with_pip.values()} == {"pip"}


def _installs(folder: Path, image: str) -> dict[str, str]:
    """Return for each step that installs what does it."""
    venvsmith(folder, "render")
    text = (folder / "docker" / f"Dockerfile.{image.replace(':', '.')}").read_text()
    parts = [part.partition(": ") for part in text.split("\n# step ")]
    installs = [(step, run) for step, _, run in parts if step.startswith("install:")]
    return {step: "uv" if "/uv pip install" in run else "pip" for step, run in installs}
