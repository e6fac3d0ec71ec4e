"""A Python of uv's own, for bases that have none.

What uv downloads cannot be counted on to be within reach of a test. Its image and its downloads are
stood in for by an image of this machine's uv under the same name, and by a mirror that serves the
Python of a base image in the layout of python-build-standalone.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from aptrepo import served
from engines import CA, bare_base, ca_options, change, docker, image_of, layers, venvsmith

pytestmark = [pytest.mark.engine, pytest.mark.network]

VERSION = "3.11.2"
"""Of the Python in venvsmith-test/bookworm:1."""
ARCHES = {"x86_64": 0x3E, "aarch64": 0xB7}
"""And their numbers in the header of an ELF file."""
BASE = "vs-uv-python/base:1"
TOOLS = Path(__file__).parents[1] / "families" / "small" / "locks" / "tools.txt"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the stand-in; yield the URL of its list of downloads."""
    folder = tmp_path_factory.mktemp("mirror")
    networks = json.loads(docker("network", "inspect", "bridge"))
    with served(folder, networks[0]["IPAM"]["Config"][0]["Gateway"]) as url:
        downloads = {}
        for arch, number in ARCHES.items():
            data = python_archive(number)
            (folder / f"{arch}.tar.gz").write_bytes(data)
            downloads[f"cpython-{VERSION}-linux-{arch}-gnu"] = {
                "name": "cpython", "arch": {"family": arch, "variant": None}, "os": "linux",
                "libc": "gnu", "major": 3, "minor": 11, "patch": 2, "prerelease": "",
                "url": f"{url}/{arch}.tar.gz", "sha256": hashlib.sha256(data).hexdigest(),
                "variant": None, "build": "20260101",
            }  # fmt: skip
        (folder / "downloads.json").write_text(json.dumps(downloads))
        yield f"{url}/downloads.json"


def python_archive(machine: int) -> bytes:
    """Return the base image's Python as an archive; its program claims to be for a machine."""
    container = docker("create", "venvsmith-test/bookworm:1", "true").strip()
    out = io.BytesIO()
    try:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
            for name, folder in (("bin/python3.11", "bin"), ("lib/python3.11", "lib")):
                argv = ["docker", "cp", f"{container}:/usr/{name}", "-"]
                data = subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout
                with tarfile.open(fileobj=io.BytesIO(data)) as copied:
                    add(archive, copied, folder=f"python/{folder}", machine=machine)
    finally:
        docker("rm", container)
    return out.getvalue()


def add(archive: tarfile.TarFile, copied: tarfile.TarFile, *, folder: str, machine: int) -> None:
    left_out = {"test", "idlelib", "lib2to3", "pydoc_data", "asyncio", "unittest", "__pycache__"}
    for member in copied:
        parts = member.name.split("/")
        library = any(part.startswith("config-3") for part in parts)
        if library or left_out & set(parts) or member.linkname.startswith("/"):
            continue
        file = copied.extractfile(member) if member.isfile() else None
        content = file.read() if file is not None else b""
        if member.name == "python3.11" and content:
            content = content[:18] + bytes([machine]) + content[19:]
        member.name = f"{folder}/{member.name}"
        archive.addfile(member, io.BytesIO(content))


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Uv's image, under the name that the default setting gives, and a base without a Python."""
    folder = tmp_path_factory.mktemp("uv-image")
    shutil.copy2(uv.find_uv_bin(), folder / "uv")
    # The version that the family's locks have, whichever this machine's is.
    version = re.search(r"^uv==(\S+)", TOOLS.read_text(), re.MULTILINE)
    assert version is not None
    official = f"ghcr.io/astral-sh/uv:{version[1]}"
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY uv /uv\n")
    docker("build", "-q", "-t", official, str(folder))
    # The stand-in is Debian's Python, which wants this library; uv's own would not.
    lines = (
        f"FROM {bare_base()}\nCOPY --from=venvsmith-test/bookworm:1 /lib/*/libexpat.so.1 /lib/\n"
    )
    docker("build", "-q", "-t", BASE, "-", data=lines)
    yield
    docker("image", "rm", "-f", official, BASE)


def use(project: Path, mirror: str, monkeypatch: pytest.MonkeyPatch) -> str:
    change(project, r'image = "venvsmith-test/bookworm:1"', f'image = "{BASE}"\npython = "uv"')
    file = project / "venvsmith.toml"
    secrets = '\n[build]\nsecrets = ["UV_PYTHON_DOWNLOADS_JSON_URL"]\n'
    file.write_text(file.read_text() + secrets)
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", mirror)
    venvsmith(project, "lock")
    return image_of(project)


def buildx(project: Path, image: str, *, tag: str, target: str, more: tuple[str, ...]) -> None:
    """Build one stage of what was rendered, as someone without venvsmith does."""
    name = "UV_PYTHON_DOWNLOADS_JSON_URL"
    secrets = ["--secret", f"id={name},env={name}"]
    secrets += ["--secret", f"id=ca,src={CA}"] if CA.exists() else []
    dockerfile = f"{project}/docker/Dockerfile.{image.replace(':', '.')}"
    options = ["--load", "-t", tag, "--target", target, "-f", dockerfile, *secrets, *more]
    docker("buildx", "build", "-q", *options, str(project))


def test_a_base_without_python_gets_one_that_every_user_may_run(
    project: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = use(project, mirror, monkeypatch)
    venvsmith(project, "build", *ca_options())
    look = (
        "readlink -f /venv/bin/python; readlink /venv/bin/python; find /opt -not -perm -o+r; id -u"
    )
    assert docker("run", "--rm", "--entrypoint", "sh", image, "-c", look).split() == [
        f"/opt/python/cpython-{VERSION}-linux-x86_64-gnu/bin/python3.11",
        "/opt/python/3.11/bin/python3.11",
        "1001",
    ]
    assert mirror not in docker("history", "--no-trunc", image)

    first = layers(image)
    buildx(project, image, tag=image, target="final", more=("--no-cache-filter", "python"))
    assert layers(image) == first

    # Without an engine, this machine's own Python stands in.
    told = venvsmith(project, "build", "--engine", "local", "--no-verify", *ca_options())
    assert "python:" not in told
    manifest = project / ".venvsmith" / "local" / image.replace(":", ".") / "manifest.json"
    left_out = json.loads(manifest.read_text())["not_carried_out"]
    assert {"step": "python:python", "reason": "this machine's own Python stands in for uv's"} in (
        left_out
    )


def test_an_image_for_another_platform_gets_a_python_of_that_platform(
    project: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project, r'\["linux/amd64"\]', '["linux/amd64", "linux/arm64"]')
    image = use(project, mirror, monkeypatch)
    venvsmith(project, "render")
    tag = f"{image.partition(':')[0]}-arm64"
    foreign = ("--platform", "linux/arm64")
    buildx(project, image, tag=tag, target="python-arm64", more=foreign)
    try:
        program = "/venvsmith/python-arm64/opt/python/3.11/bin/python3.11"
        told = docker("run", "--rm", tag, "od", "-An", "-tx1", "-j18", "-N1", program)
        assert told.strip() == "b7"
    finally:
        docker("image", "rm", "-f", tag)


def test_without_a_way_to_the_downloads_the_setting_for_a_mirror_is_named(
    project: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(project, f"{mirror}.gone", monkeypatch)
    told = venvsmith(project, "build", "--no-cache", code=1).strip().splitlines()[-1]
    assert "step python:python: failed: uv could not install Python 3.11" in told
    assert "UV_PYTHON_INSTALL_MIRROR" in told
