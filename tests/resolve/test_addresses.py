"""Requirements that name a folder, a repository or an address become wheels beside the locks."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from http.server import HTTPServer, SimpleHTTPRequestHandler
from importlib.metadata import version as version_of
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from resolve.workshop import write_wheel
from venvsmith.errors import ConfigError, JudgedError, SurroundingsError
from venvsmith.resolve import LockOptions, check_project, lock_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resolve.workshop import LocalIndex, Workshop

BACKEND = """\
import os, zipfile, time
TAG = {tag!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "acme-{version}-" + TAG + ".whl"
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))[:6]
    info = "acme-{version}.dist-info"
    files = {{
        "acme.py": open("acme.py").read(),
        info + "/METADATA": "Metadata-Version: 2.1\\nName: acme\\nVersion: {version}\\n"
        "Requires-Dist: lib\\nRequires-Dist: left; extra == 'more'\\nProvides-Extra: more\\n",
        info + "/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: " + TAG + "\\n",
        info + "/RECORD": "",
    }}
    open("litter", "w").close()
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file, when), text)
    return name
"""


def project(folder: Path, version: str = "1", tag: str = "py3-none-any") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "acme"\nversion = "{version}"\n'
    )
    (folder / "backend.py").write_text(BACKEND.format(version=version, tag=tag))
    (folder / "acme.py").write_text(f"VERSION = {version!r}\n")
    return folder


@pytest.fixture
def shop(index: LocalIndex, workshop: Workshop) -> Workshop:
    for name in ("lib", "left"):
        index.add(name, "1")
    # A public namesake must have no part in anything.
    index.add("acme", "1", "stranger")
    return workshop


def hashes(shop: Workshop, name: str, stem: str = "base.cpu") -> str:
    text = (shop.root / f"locks/{stem}.txt").read_text()
    return text[text.index(f"\n{name}==") + 1 :].split("\n")[1].strip()


def built(shop: Workshop) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((shop.root / "locks/wheels.json").read_text())
    return found["wheels"]  # type: ignore[return-value]


def reasons(shop: Workshop) -> list[str]:
    drift = check_project(shop.project(), LockOptions(offline=True))
    return [f"{item.file}: {item.reason}" for item in drift]


def test_folder_is_built_once_and_again_when_it_changes(
    shop: Workshop, index: LocalIndex, tmp_path: Path
) -> None:
    folder = project(shop.root / "libs/acme")
    shop.stage("base", "./libs/acme[more]").stage("app", "lib", extends="base").lock()
    assert shop.pins("app.cpu") == {"acme": "1", "left": "1", "lib": "1"}
    wheel = shop.root / "locks/wheels/acme-1-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert hashes(shop, "acme") == f"--hash=sha256:{digest}"
    assert sorted(path.name for path in folder.iterdir()) == [
        "acme.py",
        "backend.py",
        "pyproject.toml",
    ]
    assert str(tmp_path).encode() not in b"".join(
        path.read_bytes() for path in (shop.root / "locks").glob("*.*")
    )
    assert shop.lock().changed == ()
    assert reasons(shop) == []

    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--no-config", "--require-hashes"),
            *("--no-build", "--no-deps", "--index-url", index.url, "--target", tmp_path / "out"),
            *("--find-links", wheel.parent, "-r", shop.root / "locks/app.cpu.txt"),
        ],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "out/acme.py").read_text() == "VERSION = '1'\n"

    (folder / "acme.py").write_text("VERSION = 'changed'\n")
    assert reasons(shop) == [
        "wheels.json: acme @ ./libs/acme: ./libs/acme has changed since the wheel was built"
    ]
    shop.lock()
    assert hashes(shop, "acme") != f"--hash=sha256:{digest}"
    assert reasons(shop) == []

    (folder / "acme.py").write_text("VERSION = '1'\n")
    shop.lock(upgrade=True)
    assert hashes(shop, "acme") == f"--hash=sha256:{digest}"

    shop.stage("base", "lib").lock()
    assert not wheel.exists()
    assert not (shop.root / "locks/wheels.json").exists()


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_repository_is_built_from_its_revision_and_stays_at_it(
    shop: Workshop, tmp_path: Path
) -> None:
    repository = project(tmp_path / "repository")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    git(repository, "tag", "v1")
    address = f"git+{repository.as_uri()}"
    shop.stage("base", f"acme @ {address}@main").lock()
    first = built(shop)
    project(repository, version="2")
    git(repository, "commit", "-qam", "two")
    shop.stage("app", "left", extends="base").lock()
    assert (built(shop), shop.pins("app.cpu")["acme"]) == (first, "1")
    shop.lock(upgrade_packages=("acme",))
    assert shop.pins("base.cpu")["acme"] == "2"
    shop.stage("base", f"acme @ {address}@v1").lock()
    assert shop.pins("base.cpu")["acme"] == "1"
    assert [path.name for path in (shop.root / "locks/wheels").iterdir()] == [
        "acme-1-py3-none-any.whl"
    ]
    with pytest.raises(JudgedError, match="the repository has no revision 'v9'") as caught:
        shop.stage("base", f"acme @ {address}@v9").lock()
    assert caught.value.code == "no-such-revision"


def test_a_repository_lacks_nothing_or_is_not_built(shop: Workshop, tmp_path: Path) -> None:
    part = project(tmp_path / "part")
    git(part, "init", "-q", "-b", "main")
    git(part, "add", ".")
    git(part, "commit", "-qm", "one")
    repository = project(tmp_path / "a@b/repository")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    address = f"git+{repository.as_uri()}"
    shop.stage("base", f"acme @ {address}@main").lock()
    assert len(built(shop)[f"acme @ {address}@main"]["from"]) == 40

    local = ("-c", "protocol.file.allow=always")
    git(repository, *local, "submodule", "--quiet", "add", part.as_uri(), "part")
    git(repository, "commit", "-qm", "two")
    part.rename(tmp_path / "gone")
    with pytest.raises(SurroundingsError, match="git cannot fetch its submodules: ") as caught:
        shop.lock(upgrade=True)
    assert caught.value.code == "git-failed"

    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    with pytest.raises(JudgedError, match="the repository has no revision 'HEAD'"):
        shop.stage("base", f"acme @ git+{empty.as_uri()}@HEAD").lock()


def test_what_builds_is_of_the_same_day_in_any_time_zone(
    shop: Workshop, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, day in (("1", "2026-10-31"), ("2", "2026-11-01"), ("3", "2026-11-02")):
        index.add("tool", version, day=day)
    folder = project(shop.root / "acme")
    table = folder / "pyproject.toml"
    table.write_text(table.read_text().replace("requires = []", 'requires = ["tool"]'))
    backend = folder / "backend.py"
    told = "import tool\nopen('acme.py', 'w').write(tool.VERSION)"
    backend.write_text(f"{told}\n{backend.read_text()}")
    index.add("uv", version_of("uv"), day="2026-10-31")
    shop.stage("base", "./acme")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    lock_project(replace(shop.project(), exclude_newer="2026-11-01"), LockOptions())
    with zipfile.ZipFile(shop.root / "locks/wheels/acme-1-py3-none-any.whl") as wheel:
        assert wheel.read("acme.py") == b"2"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve a folder with one wheel."""
    folder = tmp_path / "served"
    folder.mkdir()
    write_wheel(folder / "acme-3-py3-none-any.whl", name="acme", version="3", requires=())

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            if "broken" in self.path:
                self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n")
                self.wfile.write(b"short")
            elif "rude" in self.path:
                self.wfile.write(b"what?\r\n")
            else:
                super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()
    thread.join()


def test_wheel_at_an_address_is_fetched_and_kept(
    shop: Workshop, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shop.stage("base", f"acme @ {server}/acme-3-py3-none-any.whl").lock(pylock=True)
    assert shop.pins("base.cpu") == {"acme": "3"}
    text = (shop.root / "locks/pylock.base_cpu.toml").read_text()
    assert 'wheels = [{ path = "wheels/acme-3-py3-none-any.whl", size = ' in text
    assert str(shop.root) not in text
    with pytest.raises(JudgedError, match="the server answers 404"):
        shop.stage("base", f"acme @ {server}/acme-4-py3-none-any.whl").lock()
    wrong = f"{server}/acme-3-py3-none-any.whl#sha256={'0' * 64}"
    with pytest.raises(JudgedError, match="and the address promises 000"):
        shop.stage("base", f"acme @ {wrong}").lock()
    for name, why in (("broken", "broke off 4 bytes before"), ("rude", "cannot be fetched: what?")):
        with pytest.raises(SurroundingsError, match=why):
            shop.stage("base", f"acme @ {server}/{name}-1-py3-none-any.whl").lock()


def test_mistakes_are_told(shop: Workshop) -> None:
    folder = project(shop.root / "acme", tag="cp311-cp311-linux_x86_64")
    shop.variant("cpu", "amd64", "arm64").stage("base", "./acme")
    with pytest.raises(JudgedError) as caught:
        shop.lock()
    (line,) = caught.value.lines()
    assert line == (
        "wheel-unfit: acme @ ./acme: acme-1-cp311-cp311-linux_x86_64.whl, built here, does not run "
        "on cpu, linux/arm64 with Python 3.11; build a wheel for each platform elsewhere, and name "
        "their folder in the variant's find-links"
    )
    (folder / "acme.py").unlink()
    with pytest.raises(JudgedError, match=r"to a wheel: FileNotFoundError: .*acme\.py") as caught:
        shop.lock()
    assert caught.value.code == "build-failed"
    shop.stage("base", "./nowhere", "x @ /abs/x", "acme @ ./acme/acme.py", "x @ https://[x/y.whl")
    with pytest.raises(ConfigError) as wrong:
        shop.lock()
    assert wrong.value.problems == (
        ("stages.base.requires[0]", "there is no folder 'nowhere'"),
        (
            "stages.base.requires[1]",
            "'/abs/x' is a path of this machine alone: write it relative to this file",
        ),
        (
            "stages.base.requires[2]",
            "there is no folder, wheel or source archive './acme/acme.py'",
        ),
        (
            "stages.base.requires[3]",
            "'https://[x/y.whl' is no address: its host or its port is malformed",
        ),
    )
