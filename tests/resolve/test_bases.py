"""What a base's tag stood for is recorded once, and only where a registry knows it."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import UnsafeInputError
from venvsmith.model.project import Base, Project
from venvsmith.resolve import LockOptions, check_project, lock_project

if TYPE_CHECKING:
    from resolve.workshop import LocalIndex, Workshop

MEDIA = "application/vnd.docker.distribution.manifest.v2+json"


def docker(*words: str, data: bytes | None = None) -> None:
    subprocess.run(["docker", *words], input=data, check=True, capture_output=True, timeout=120)


class Images:
    """Tiny images, each with other content, removed at the end."""

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self.names: set[str] = set()

    def make(self, name: str, *, push: bool = True) -> str:
        image = f"{self.registry}/{name}:1"
        if image in self.names:
            docker("rmi", "--force", image)
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            archive.addfile(tarfile.TarInfo(uuid.uuid4().hex))
        docker("import", "-", image, data=tar.getvalue())
        self.names.add(image)
        if push:
            docker("push", image)
        return image

    def digest(self, name: str) -> str:
        request = urllib.request.Request(
            f"http://{self.registry}/v2/{name}/manifests/1",
            headers={"Accept": MEDIA},
            method="HEAD",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return str(answer.headers["Docker-Content-Digest"])


@pytest.fixture
def images(registry: str) -> Iterator[Images]:
    made = Images(registry)
    yield made
    for image in made.names:
        docker("rmi", "--force", image)


def recorded(workshop: Workshop) -> dict[str, str]:
    found: dict[str, str] = json.loads((workshop.root / "locks/bases.json").read_text())["bases"]
    return found


def on(workshop: Workshop, build: str, runtime: str) -> Project:
    return replace(
        workshop.project(), bases={"slim": Base(name="slim", build=build, runtime=runtime)}
    )


@pytest.mark.engine
def test_digest_is_recorded_once_and_moves_with_an_upgrade_alone(
    index: LocalIndex, workshop: Workshop, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("lib", "1")
    workshop.stage("base", "lib")
    build, runtime = images.make("lock/build"), images.make("lock/runtime")
    local = images.make("lock/local", push=False)
    first = {build: images.digest("lock/build"), runtime: images.digest("lock/runtime")}
    lock_project(on(workshop, build, runtime), LockOptions())
    assert recorded(workshop) == first

    images.make("lock/build")
    assert images.digest("lock/build") != first[build]
    assert lock_project(on(workshop, build, runtime), LockOptions()).changed == ()
    assert recorded(workshop) == first

    why: list[str] = []
    project = on(workshop, build, local)
    assert [item.file for item in check_project(project, LockOptions(offline=True))] == [
        "bases.json"
    ]
    lock_project(project, LockOptions(upgrade=True), detail=why.append)
    assert recorded(workshop) == {build: images.digest("lock/build")}
    assert any(f"{local} is not pinned anew: it was made on this machine" in line for line in why)
    assert check_project(project, LockOptions(offline=True)) == ()

    with monkeypatch.context() as broken:
        broken.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
        gone = on(workshop, build, "127.0.0.1:9/lock/runtime:1")
        lock_project(gone, LockOptions(upgrade=True), detail=why.append)
    assert list(recorded(workshop)) == [build]


def test_without_docker_a_lock_is_made_and_says_in_a_line_what_it_lacks(
    index: LocalIndex, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    index.add("lib", "1")
    workshop.stage("base", "lib")
    said: list[str] = []
    lock_project(on(workshop, "python:3.11", "python:3.11"), LockOptions(), say=said.append)
    assert said == ["1 base image is not pinned; 'venvsmith -v lock' says why"]
    why: list[str] = []
    project = on(workshop, "python:3.11", "python:3.11-slim")
    lock_project(project, LockOptions(offline=True), say=said.append, detail=why.append)
    assert said[1:] == ["2 base images are not pinned; 'venvsmith -v lock' says why"]
    assert [line for line in why if "python:3.11 " in line] == [
        "base image python:3.11 is not pinned anew: --offline asks no registry"
    ]
    assert "bases.json" not in workshop.files()


def test_record_with_anything_but_digests_is_refused(index: LocalIndex, workshop: Workshop) -> None:
    folder = workshop.root / "locks"
    folder.mkdir()
    record = {"bases": {"python:3.11": "sha256:0\nRUN id"}}
    (folder / "bases.json").write_text(json.dumps(record))
    with pytest.raises(UnsafeInputError, match="is no digest of python"):
        check_project(workshop.stage("base", "lib").project(), LockOptions())
