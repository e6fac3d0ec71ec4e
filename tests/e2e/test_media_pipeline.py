"""The media pipeline's family of 21 images, in its small form, on a real engine.

On an engine of the tests' own, so that it can be killed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from families_media import small_family
from second_engine import SecondEngine

CA = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = "venvsmith-test/bookworm-noensurepip:1"
PREFIX = "vsm-"
pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondEngine]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("an engine of one's own needs dockerd and root")
    own = SecondEngine(folder=tmp_path_factory.mktemp("engine") / "d")
    own.start()
    own.take(BASE)
    yield own
    own.remove()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, engine: SecondEngine) -> Path:
    folder = tmp_path_factory.mktemp("media")
    file = small_family(folder, prefix=PREFIX, base=BASE)
    done = venvsmith(file, engine, "lock")
    assert done.returncode == 0, done.stderr
    return file


def command(file: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "venvsmith", "--config", str(file), *words]


def venvsmith(file: Path, engine: SecondEngine, *words: str) -> subprocess.CompletedProcess[str]:
    begin = time.monotonic()
    done = subprocess.run(
        command(file, *words), env=engine.env, capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    print(f"venvsmith {' '.join(words)}: {time.monotonic() - begin:.1f} s")
    return done


def build_words() -> list[str]:
    return ["build", *(["--ca-bundle", str(CA)] if CA.exists() else [])]


def images(engine: SecondEngine) -> list[str]:
    told = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    return sorted(name for name in told if name.startswith(PREFIX))


def test_an_engine_that_is_killed_midway_ends_the_build_and_the_next_one_ends_well(
    project: Path, engine: SecondEngine
) -> None:
    with subprocess.Popen(
        command(project, *build_words()), env=engine.env, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as build:  # fmt: skip
        assert build.stderr is not None
        installs = 0
        for line in build.stderr:
            # Some layers are there, others are being installed, no image is complete.
            installs += "layer-" in line and " DONE " not in line
            if installs >= 5:
                break
        engine.kill()
        rest = build.stderr.read()
        assert build.wait(60) == 4, rest[-2000:]
    assert rest.strip().splitlines()[-1].startswith("venvsmith: ")
    engine.start()

    done = venvsmith(project, engine, *build_words())
    assert done.returncode == 0, done.stderr[-4000:]
    assert "verified 21 images: 21 pass" in done.stderr
    assert len(images(engine)) == 21


def test_the_family_shares_the_layers_of_what_it_builds_on(
    project: Path, engine: SecondEngine
) -> None:
    built = {
        image: json.loads(
            engine.docker("image", "inspect", "-f", "{{json .RootFS.Layers}}", image).stdout
        )
        for image in images(engine)
    }
    assert len(built) == 21, project
    for image, layers in built.items():
        name, variant = image.removeprefix(PREFIX).split(":")
        if name == "base":
            continue
        heavy = variant == "cuda" and name != "base-ml"
        below = built[f"{PREFIX}{'base-ml' if heavy else 'base'}:{variant}"]
        assert layers[: len(below)] == below, image
    references = sum(map(len, built.values()))
    distinct = len({layer for layers in built.values() for layer in layers})
    print(f"{references} layers in 21 images, {distinct} of them different")
    # A fallback's stages are installed once, not once for each of their images.
    assert distinct < references / 3


def test_a_rebuild_of_the_family_changes_nothing(project: Path, engine: SecondEngine) -> None:
    def ids() -> str:
        return engine.docker("image", "inspect", "-f", "{{.Id}}", *images(engine)).stdout

    before = ids()
    assert venvsmith(project, engine, *build_words(), "--no-verify").returncode == 0
    assert ids() == before
