"""A private index, a token and a company's certificates: used by a build, and left nowhere."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import CA, docker, venvsmith
from indexes import guarded
from resolve.workshop import LocalIndex

CONFIG = """
[project]
name = "private"
python = "3.11"
installer = "uv"
[indexes.internal]
url = "URL/simple"
packages = ["acme-*"]
[bases.debian]
image = "venvsmith-test/bookworm:1"
[variants.cpu]
base = "debian"
platforms = ["linux/amd64"]
[stages.app]
requires = ["acme-lib", "markupsafe==3.0.2"]
imports = ["acme_lib", "markupsafe", "token_user"]
source = "service"
[images.NAME]
stage = "app"
[build]
secrets = ["HF_TOKEN"]
"""
PYPROJECT = """
[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"
[project]
name = "token-user"
version = "1"
[tool.setuptools]
py-modules = ["token_user"]
"""
# A build that needs the token, as one that fetches a model would, and keeps none of it.
SETUP = """
from pathlib import Path
from setuptools import setup
token = Path("/run/secrets/HF_TOKEN").read_text()
assert len(token) == SIZE, "no token"
setup()
"""
PASSWORD = "vs-canary-password-81f3/@:%"  # noqa: S105 - a canary
TOKEN = "vs-canary-token-52ab"  # noqa: S105 - a canary
COMMENT = "vs-canary-bundle-90cd"
LOGIN = ("VENVSMITH_INDEX_INTERNAL_USERNAME", "VENVSMITH_INDEX_INTERNAL_PASSWORD")
pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture
def private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, str, list[str]]]:
    """A locked project with a private index: its folder, its image, what the index served."""
    index = LocalIndex(folder=tmp_path / "index")
    index.add("acme-lib", "1.2")
    folder = tmp_path / "project"
    (folder / "service").mkdir(parents=True)
    name = f"vs-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    with guarded(index.folder, user="robot", password=PASSWORD) as (url, served):
        (folder / "venvsmith.toml").write_text(CONFIG.replace("URL", url).replace("NAME", name))
        (folder / "service" / "pyproject.toml").write_text(PYPROJECT)
        (folder / "service" / "setup.py").write_text(SETUP.replace("SIZE", str(len(TOKEN))))
        (folder / "service" / "token_user.py").write_text("x = 1\n")
        monkeypatch.setenv(LOGIN[0], "robot")
        monkeypatch.setenv(LOGIN[1], PASSWORD)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        venvsmith(folder, "lock")
        yield folder, f"{name}:cpu", served
    subprocess.run(["docker", "image", "rm", "-f", f"{name}:cpu"], capture_output=True, check=False)


def bundle(tmp_path: Path) -> list[str]:
    file = tmp_path / "ca.crt"
    file.write_text(f"# {COMMENT}\n{CA.read_text() if CA.exists() else ''}")
    return ["--ca-bundle", str(file)]


def contents(image: str, tmp_path: Path) -> bytes:
    """Return all of an image: configuration, history and every layer, uncompressed."""
    archive = tmp_path / "image.tar"
    docker("save", "-o", str(archive), image)
    found = docker("history", "--no-trunc", image).encode() + docker("inspect", image).encode()
    with tarfile.open(archive) as outer:
        for member in outer:
            if (file := outer.extractfile(member)) is None:
                continue
            data = file.read()
            found += data
            if data[:2] == b"\x1f\x8b":
                with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                    found += b"".join(f.read() for m in inner if (f := inner.extractfile(m)))
    return found


def test_what_a_build_may_use_and_not_keep_is_found_nowhere(
    private: tuple[Path, str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, image, served = private
    served.clear()
    told = venvsmith(folder, "-v", "build", "--no-cache", *bundle(tmp_path))
    # It was used: nobody without the password gets the wheel, and the token's length is checked.
    assert any(path.endswith(".whl") for path in served)
    left = contents(image, tmp_path) + told.encode()
    left += b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"acme_lib" in left
    for canary in (PASSWORD, "vs-canary-password-81f3", TOKEN, COMMENT):
        assert canary.encode() not in left

    monkeypatch.setenv(LOGIN[1], "vs-canary-wrong")
    told = venvsmith(folder, "build", "--no-cache", *bundle(tmp_path), code=4)
    last = told.splitlines()[-1]
    assert last.startswith("venvsmith: index-refused: ")
    assert last.endswith(f"set {LOGIN[0]} and {LOGIN[1]}, or write the host into ~/.netrc")
    assert "vs-canary-wrong" not in told


def test_on_this_machine_with_pip_the_password_may_stand_in_a_netrc(
    private: tuple[Path, str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, image, served = private
    config = folder / "venvsmith.toml"
    text = config.read_text()
    config.write_text(text.replace('installer = "uv"', 'installer = "pip"'))
    venvsmith(folder, "lock")
    monkeypatch.delenv(LOGIN[0])
    monkeypatch.delenv(LOGIN[1])
    host = text.partition("http://")[2].partition(":")[0]
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {host} login robot password {PASSWORD}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    served.clear()
    told = venvsmith(folder, "build", "--engine", "local", *bundle(tmp_path))
    assert any(path.endswith(".whl") for path in served)
    root = folder / ".venvsmith" / "local" / image.replace(":", ".")
    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in told
    assert (root / "root/venv/lib/python3.11/site-packages/acme_lib.py").is_file()
