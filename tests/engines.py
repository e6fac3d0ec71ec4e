"""Running venvsmith and docker as a user does, and reading what they built."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAMILY = Path(__file__).parent / "families" / "small"
CA = Path("/etc/ssl/certs/ca-certificates.crt")


def venvsmith(project: Path, *words: str, code: int = 0) -> str:
    """Run the command line as a user does; return what it wrote to stderr."""
    config = str(project / "venvsmith.toml")
    argv = [sys.executable, "-m", "venvsmith", "--config", config, *words]
    # The system's own Python 3.11 comes first, which lies where that of the base images does.
    env = {**os.environ, "PATH": f"/usr/bin:/bin:{os.environ['PATH']}"}
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=600, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def docker(*words: str, data: str | None = None) -> str:
    argv = ["docker", *words]
    done = subprocess.run(
        argv, input=data, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ca_options() -> list[str]:
    return ["--ca-bundle", str(CA)] if CA.exists() else []


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(
        docker("image", "inspect", "-f", "{{json .RootFS.Layers}}", image)
    )
    return found


def change(project: Path, pattern: str, replacement: str) -> None:
    file = project / "venvsmith.toml"
    text, count = re.subn(pattern, lambda _: replacement, file.read_text())
    assert count
    file.write_text(text)


def image_of(project: Path) -> str:
    found = re.search(r"^\[images\.(.*)\]", (project / "venvsmith.toml").read_text(), re.MULTILINE)
    assert found
    return f"{found[1]}:cpu"


def tree_of_image(image: str, path: str) -> dict[str, tuple[object, ...]]:
    """Return every entry below a path of an image: type, mode, time, link and content."""
    container = docker("create", image, "true").strip()
    try:
        argv = ["docker", "cp", f"{container}:{path}", "-"]
        data = subprocess.run(argv, capture_output=True, timeout=120, check=True).stdout
    finally:
        docker("rm", container)
    entries: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            content = hashlib.sha256(file.read()).hexdigest() if file else ""
            mode = "" if member.issym() else oct(member.mode)
            entries[member.name] = (member.type, mode, member.mtime, member.linkname, content)
    return entries


def tree_of_folder(folder: Path) -> dict[str, tuple[object, ...]]:
    entries: dict[str, tuple[object, ...]] = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        link = str(path.readlink()) if path.is_symlink() else ""
        plain = path.is_file() and not link
        kind = tarfile.SYMTYPE if link else tarfile.REGTYPE if plain else tarfile.DIRTYPE
        mode = "" if link else oct(status.st_mode & 0o7777)
        content = hashlib.sha256(path.read_bytes()).hexdigest() if plain else ""
        name = str(path.relative_to(folder.parent))
        entries[name] = (kind, mode, int(status.st_mtime), link, content)
    return entries


def derived(name: str, line: str) -> str:
    tag = f"venvsmith-test/bookworm-{name}:1"
    docker("build", "-q", "-t", tag, "-", data=f"FROM venvsmith-test/bookworm:1\n{line}\n")
    return tag


def bare_base() -> str:
    """A base without any Python."""
    lines = "RUN apt-get purge -y 'python3*' 'libpython3*' && apt-get autoremove -y\n"
    tag = "venvsmith-test/bookworm-bare:1"
    docker("build", "-q", "-t", tag, "-", data=f"FROM venvsmith-test/bookworm:1\n{lines}")
    return tag


@contextmanager
def copied_family(folder: Path) -> Iterator[Path]:
    """Yield a copy of the family under an image name of its own, and remove its image."""
    project = folder / "small"
    shutil.copytree(FAMILY, project, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    name = f"vs-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    change(project, r"\[images\.pages\]", f"[images.{name}]")
    yield project
    subprocess.run(["docker", "image", "rm", "-f", f"{name}:cpu"], capture_output=True, check=False)
