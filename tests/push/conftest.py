from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engines import FAMILY, docker
from registries import FaultyRegistry, digest_of, tags_of
from venvsmith.scratch import MEMORY, PREFIX

SHARED_BYTES = 300_000


def login_files(address: str) -> list[Path]:
    """Return the files with a login to a registry that runs have made and not removed."""
    found = []
    for place in (MEMORY, Path(tempfile.gettempdir())):
        for path in place.glob(f"{PREFIX}*/config.json"):
            with contextlib.suppress(FileNotFoundError):  # another run's, which has just ended
                found += [path] if address in path.read_text() else []
    return found


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a push ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(kw_only=True)
class Family:
    """Two images on one layer that they share, made by hand in place of a build."""

    folder: Path
    address: str
    mark: str
    env: dict[str, str] = field(default_factory=dict)
    entry: tuple[str, ...] = ("-m", "venvsmith")

    @property
    def images(self) -> tuple[str, str]:
        return f"vs-{self.mark}-low", f"vs-{self.mark}-top"

    @property
    def repositories(self) -> tuple[str, str]:
        return f"{self.mark}/low", f"{self.mark}/top"

    def configure(self) -> None:
        tables = "".join(
            f'\n[images.{image}]\nstage = "pages"\n'
            f'tags = ["{self.address}/{repository}:1-{{variant}}"]\n'
            for image, repository in zip(self.images, self.repositories, strict=True)
        )
        text = (FAMILY / "venvsmith.toml").read_text().partition("[images.")[0]
        (self.folder / "venvsmith.toml").write_text(text + tables)

    def build(self, version: int = 1) -> None:
        """Make the images; what the second one adds differs between versions."""
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        shared, own = context / "shared", context / "own"
        if not shared.exists():
            shared.write_bytes(os.urandom(SHARED_BYTES))
        own.write_bytes(f"{self.mark} {version}".encode() + os.urandom(1000))
        low, top = self.images
        for image, copies in ((low, "COPY shared /a"), (top, "COPY shared /a\nCOPY own /b")):
            (context / "Dockerfile").write_text(
                f'FROM scratch\n{copies}\nLABEL dev.venvsmith.image="{image}"\nCMD ["/a"]\n'
            )
            docker("build", "-q", "-t", f"{image}:cpu", str(context))

    def start(self, *words: str) -> subprocess.Popen[str]:
        config = str(self.folder / "venvsmith.toml")
        argv = [sys.executable, *self.entry, "--config", config, "push", *words]
        return subprocess.Popen(
            argv, stdout=-1, stderr=-1, text=True, env={**os.environ, **self.env}
        )

    def push(self, *words: str) -> Ended:
        begun = time.monotonic()
        running = self.start(*words)
        out, err = running.communicate(timeout=180)
        return Ended(code=running.returncode, out=out, err=err, seconds=time.monotonic() - begun)

    def real_tags(self, *, login: bool = False) -> tuple[str, str]:
        """Return what the two real tags stand for in the registry; empty where they are not."""
        low, top = (
            digest_of(self.address, repository, "1-cpu", login=login)
            for repository in self.repositories
        )
        return low, top

    def leftovers(self) -> list[str]:
        """Return tags of content that are left in the engine."""
        names = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        return [name for name in names if f"/{self.mark}/" in name and ":venvsmith-" in name]

    def content_tags(self) -> list[str]:
        found = [tag for name in self.repositories for tag in tags_of(self.address, name)]
        return [tag for tag in found if tag.startswith("venvsmith-")]

    def remove(self) -> None:
        rows = docker("image", "ls", "--format", "{{.ID}} {{.Repository}}").splitlines()
        own = {row.split()[0] for row in rows if self.mark in row}
        if own:
            docker("image", "rm", "-f", *own)


@pytest.fixture
def faulty(registry: str) -> Iterator[FaultyRegistry]:
    with FaultyRegistry(upstream=registry) as proxy:
        yield proxy


@pytest.fixture
def family(faulty: FaultyRegistry, tmp_path: Path) -> Iterator[Family]:
    """A family that is built, and goes to a registry behind the proxy."""
    folder = tmp_path / "family"
    shutil.copytree(FAMILY, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    made = Family(folder=folder, address=faulty.address, mark=uuid.uuid4().hex[:8])
    made.configure()
    made.build()
    yield made
    made.remove()
