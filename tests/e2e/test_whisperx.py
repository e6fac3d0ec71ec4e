"""The whole WhisperX stack, 7.6 GB, through both engines.

Needs an engine with the root configuration's base images, and 30 GB of disk. Where those images
cannot be pulled, the tests' own base stands in for both: same Python minor, same interpreter path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).parents[2]
CA = Path("/etc/ssl/certs/ca-certificates.crt")
NEEDED_BYTES = 30 * 10**9
IMPORTS = ("whisperx.asr", "whisperx.diarize", "pyannote.audio")
pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.network]


def run(*argv: str, cwd: Path | None = None, code: int = 0) -> str:
    env = {**os.environ, "PATH": f"/usr/bin:/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=3000, check=False
    )
    assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def venvsmith(project: Path, *words: str) -> str:
    start = time.monotonic()
    out = run(sys.executable, "-m", "venvsmith", "-q", *words, cwd=project)
    print(f"venvsmith {' '.join(words)}: {time.monotonic() - start:.1f} s")
    return out


def layers() -> list[str]:
    out = run("docker", "image", "inspect", "-f", "{{json .RootFS.Layers}}", "whisperx:cuda")
    found: list[str] = json.loads(out)
    return found


# As the official images do, the stand-in has libpython, which torchcodec's operators link against.
STAND_IN = """\
FROM venvsmith-test/bookworm:1
RUN apt-get update && apt-get install -y --no-install-recommends libpython3.11
"""


@pytest.fixture(scope="module", autouse=True)
def bases() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        pytest.fail(f"the whole stack needs 30 GB of disk, and {free / 1e9:.0f} GB are free")
    # The local engine checks system packages and does not install them.
    if subprocess.run(
        ["dpkg-query", "-W", "ffmpeg", "libpython3.11"], capture_output=True
    ).returncode:
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-qy", "--no-install-recommends", "ffmpeg", "libpython3.11")
    text = (ROOT / "venvsmith.toml").read_text()
    for image in re.findall(r'^(?:build|runtime) = "(.*)"', text, re.MULTILINE):
        here = subprocess.run(["docker", "image", "inspect", image], capture_output=True)
        if here.returncode and subprocess.run(["docker", "pull", "-q", image]).returncode:
            argv = ["docker", "build", "-q", "-t", image, "-"]
            subprocess.run(argv, input=STAND_IN, text=True, check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("whisperx")
    shutil.copy(ROOT / "venvsmith.toml", folder)
    shutil.copytree(ROOT / "locks", folder / "locks")
    yield folder
    shutil.rmtree(folder)


def ca_options() -> list[str]:
    return ["--ca-bundle", str(CA)] if CA.exists() else []


def test_the_committed_locks_are_in_step_and_nest(project: Path) -> None:
    venvsmith(project, "lock", "--check", "--offline")
    pins = {
        stage: set(
            re.findall(
                r"^(\S+==\S+) ", (project / "locks" / f"{stage}.cuda.txt").read_text(), re.MULTILINE
            )
        )
        for stage in ("torch", "pyannote", "whisperx")
    }
    assert pins["torch"] < pins["pyannote"] < pins["whisperx"]


def test_the_image_builds_verifies_and_builds_again_to_the_same_layers(project: Path) -> None:
    venvsmith(project, "build", "--no-cache", "--no-verify", *ca_options())
    first = layers()
    report = json.loads(venvsmith(project, "verify", "whisperx:cuda", "--format", "json"))
    assert report["verdict"] == "pass"
    assert report["score"] == 100
    assert not [f for f in report["findings"] if f["severity"] == "error"]

    code = f"import os, getpass, {', '.join(IMPORTS)}; print(os.getuid(), getpass.getuser())"
    names = run("docker", "run", "--rm", "--entrypoint", "python", "whisperx:cuda", "-c", code)
    assert names.split()[-2:] == ["1001", "app"]

    venvsmith(project, "build", "--no-cache", "--no-verify", *ca_options())
    assert layers() == first

    # A leaf of the last stage in another version: the layers of the other stages stay.
    config = project / "venvsmith.toml"
    text = config.read_text()
    config.write_text(text.replace('"whisperx==3.8.6"', '"whisperx==3.8.6", "nltk<3.9.2"'))
    try:
        venvsmith(project, "lock")
        venvsmith(project, "build", "--no-verify", *ca_options())
    finally:
        config.write_text(text)
        shutil.rmtree(project / "locks")
        shutil.copytree(ROOT / "locks", project / "locks")
    after = layers()
    assert sum(a != b for a, b in zip(first, after, strict=True)) == 2


def test_the_local_engine_builds_and_verifies_the_same_stack(project: Path) -> None:
    venvsmith(project, "build", "--engine", "local", *ca_options())
    root = project / ".venvsmith" / "local" / "whisperx.cuda" / "root"
    report = json.loads(venvsmith(project, "verify", f"rootfs:{root}", "--format", "json"))
    assert report["verdict"] == "pass"
    assert report["score"] == 100


def first_finding(image: str) -> str:
    argv = [sys.executable, "-m", "venvsmith", "verify", image, "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 1, done.stderr
    rule: str = json.loads(done.stdout)["findings"][0]["rule"]
    return rule


def derive(tag: str, context: Path, *lines: str) -> str:
    (context / "Dockerfile").write_text(
        "\n".join(["FROM whisperx:cuda", "USER 0", *lines, "USER 1001", ""])
    )
    run("docker", "build", "-q", "-t", tag, str(context))
    return tag


def test_without_ffmpegs_libraries_that_is_what_comes_first(tmp_path: Path) -> None:
    remove = "RUN find /usr/lib -name 'libav*.so*' -delete"
    tag = derive("whisperx-no-ffmpeg:1", tmp_path, remove)
    try:
        assert first_finding(tag) == "ffmpeg-libs-missing"
    finally:
        run("docker", "image", "rm", "-f", tag)


def test_with_another_torchaudio_that_is_what_comes_first(tmp_path: Path) -> None:
    packages = "/venv/lib/python3.11/site-packages"
    run(
        uv.find_uv_bin(), "pip", "install", "-q", "--no-config", "--no-deps",
        "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28",
        "--target", str(tmp_path / "other"), "torchaudio==2.7.1",
    )  # fmt: skip
    tag = derive(
        "whisperx-torchaudio:1",
        tmp_path,
        f"RUN rm -rf {packages}/torchaudio {packages}/torchaudio-*",
        f"COPY other/ {packages}/",
    )
    try:
        assert first_finding(tag) == "torch-companion-mismatch"
    finally:
        run("docker", "image", "rm", "-f", tag)
