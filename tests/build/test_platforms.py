"""Images for several platforms, built on a machine of one and without an emulator."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from engines import CA, ca_options, change, docker, image_of, venvsmith

pytestmark = [pytest.mark.engine, pytest.mark.network]


def elf_machines(image: str, folder: str) -> set[str]:
    """Return the machines that the shared objects below an image's folder are for."""
    container = docker("create", image, "true").strip()
    try:
        argv = ["docker", "cp", f"{container}:{folder}", "-"]
        data = subprocess.run(argv, capture_output=True, timeout=120, check=True).stdout
    finally:
        docker("rm", container)
    machines = set()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".so") else None
            if file is not None:
                machines.add(str(ELFFile(file)["e_machine"]))
    return machines


def test_one_dockerfile_serves_both_platforms_and_installs_for_each(project: Path) -> None:
    change(project, r'\["linux/amd64"\]', '["linux/amd64", "linux/arm64"]')
    venvsmith(project, "lock")
    image = image_of(project)

    # The engine's own platform, without being asked for it: an engine loads only one.
    venvsmith(project, "build", *ca_options())
    assert elf_machines(image, "/venv") == {"EM_X86_64"}
    told = docker("image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", image).strip()
    assert told == "linux/amd64"

    # What is installed for the other one needs nothing that runs there.
    layer = f"{image.partition(':')[0]}-arm64"
    dockerfile = f"docker/Dockerfile.{image.replace(':', '.')}"
    secret = ["--secret", f"id=ca,src={CA}"] if CA.exists() else []
    stage = ["--platform", "linux/arm64", "--target", "layer-markup-cpu-arm64"]
    folder = str(project)
    docker(
        "buildx", "build", "-q", "--load", "-t", layer, *stage, *secret,
        "-f", f"{folder}/{dockerfile}", folder,
    )  # fmt: skip
    try:
        assert elf_machines(layer, "/venvsmith/layers") == {"EM_AARCH64"}
    finally:
        docker("image", "rm", "-f", layer)

    # This machine itself builds for its own.
    told = venvsmith(project, "build", "--engine", "local", *ca_options())
    assert "install:layer-markup-cpu-amd64" in told
    assert "arm64" not in told
