"""PEP 751 files beside the locks: valid, the same versions, kept up to date, installable."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
import tomllib
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Pylock

from venvsmith.errors import JudgedError
from venvsmith.resolve import LockOptions, check_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resolve.workshop import LocalIndex, Workshop


class Quiet(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    """Serve the index over http, as a file's address would be of this machine only."""
    handler = functools.partial(Quiet, directory=str(index.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
        yield index
        server.shutdown()
        thread.join()


def versions(path: Path) -> dict[str, str]:
    pylock = Pylock.from_dict(tomllib.loads(path.read_text()))
    return {package.name: str(package.version) for package in pylock.packages}


def test_pylock_holds_what_the_lock_holds_and_follows_it(
    served: LocalIndex, workshop: Workshop, tmp_path: Path
) -> None:
    served.add("lib", "1")
    served.add("left", "1", "lib")
    workshop.stage("base", "lib").stage("app", "left", extends="base").lock(pylock=True)
    path = workshop.root / "locks/pylock.app_cpu.toml"
    assert versions(path) == workshop.pins("app.cpu") == {"left": "1", "lib": "1"}
    assert workshop.lock(pylock=True).changed == ()

    served.add("left", "2", "lib")
    workshop.lock(upgrade=True)
    assert versions(path) == {"left": "2", "lib": "1"}
    assert check_project(workshop.project(), LockOptions()) == ()

    target = tmp_path / "target"
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--no-config", "--target", target),
            *("--preview", "-r", path),
        ],
        check=True,
        capture_output=True,
    )
    assert (target / "left.py").read_text() == "VERSION = '2'\n"

    del workshop.stages["app"]
    workshop.lock()
    assert not path.exists()


def test_file_of_this_machine_is_refused(index: LocalIndex, workshop: Workshop) -> None:
    index.add("lib", "1")
    workshop.stage("base", "lib")
    with pytest.raises(JudgedError, match="'lib' has no address"):
        workshop.lock(pylock=True)
    assert not (workshop.root / "locks").exists()
