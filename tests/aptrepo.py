"""A real apt repository of one tiny package, signed, and served to containers on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "venvsmith-hello"
_CONTROL = f"""Package: {PACKAGE}
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.com>
Description: a package that no distribution has
"""


@dataclass(frozen=True, kw_only=True)
class AptRepository:
    uri: str
    key: Path
    """Armoured, and the same without armour beside it with the ending ``.gpg``."""

    @property
    def key_sha256(self) -> str:
        return hashlib.sha256(self.key.read_bytes()).hexdigest()


def make_repository(folder: Path) -> Path:
    """Write the repository below a folder, with its key as ``key.asc``; return the folder."""
    tree = folder / "package"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(_CONTROL)
    (tree / "usr" / "bin").mkdir(parents=True)
    script = tree / "usr" / "bin" / PACKAGE
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    served = folder / "served"
    dist = served / "dists" / "stable" / "main" / "binary-amd64"
    dist.mkdir(parents=True)
    package = served / "hello.deb"
    _run("dpkg-deb", "--build", "--root-owner-group", str(tree), str(package))
    data = package.read_bytes()
    packages = (
        f"{_CONTROL}Filename: hello.deb\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )
    (dist / "Packages").write_text(packages)
    digest = hashlib.sha256(packages.encode()).hexdigest()
    release = dist.parents[1] / "Release"
    release.write_text(
        "Suite: stable\nCodename: stable\nArchitectures: amd64\nComponents: main\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n"
    )
    # gpg's agent makes a socket here, whose path may not be long.
    home = Path("/tmp") / f"vs-gpg-{os.getpid()}"  # noqa: S108
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(home), "--batch", "--quiet")
    try:
        parameters = "%no-protection\nKey-Type: RSA\nKey-Length: 2048\nName-Real: test\n%commit\n"
        _run(*gpg, "--gen-key", data=parameters)
        _run(*gpg, "--clearsign", "-o", str(release.with_name("InRelease")), str(release))
        _run(*gpg, "--armor", "--export", "-o", str(served / "key.asc"))
        _run(*gpg, "--export", "-o", str(served / "other-name.gpg"))
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)
    return served


@contextmanager
def served(folder: Path, address: str) -> Iterator[str]:
    """Serve a folder to whoever reaches an address of this machine; yield its URL."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((address, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _run(*argv: str, data: str | None = None) -> None:
    done = subprocess.run(argv, input=data, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
