"""The seam to the machine: everything that preflight asks of it, and nothing else.

Checks see a `Machine` only, so that what a Linux server, a Mac or Windows answers can be recorded
and replayed. `ThisMachine` asks the real one; nothing it does writes.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from venvsmith import process
from venvsmith.model.platforms import MACHINES
from venvsmith.process import Command, run

READ_LIMIT = 1024 * 1024
"""Bytes of a settings file that are read; those that matter have some hundred."""
BODY_LIMIT = 64 * 1024
HTTP_SECONDS = 5.0
CLOSE_SECONDS = 2.0
ARCHS = {name: arch for arch, machine in MACHINES.items() for name in (arch, machine)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How a program ended; 127 where there is none of that name."""

    returncode: int
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """Return whether it ended well."""
        return self.returncode == 0 and not self.timed_out

    @property
    def words(self) -> str:
        """Return the line that says why it did not: the last one of stderr that is not empty."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1].removeprefix("ERROR: ") if lines else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a service answered; status 0 where it could not be reached, and ``why``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: str = ""
    why: str = ""


class Machine(Protocol):
    """What can be asked of a machine. Nothing here raises for what is merely not there."""

    system: str
    """``linux``, ``darwin`` or ``windows``."""
    arch: str
    """As docker names it: ``amd64``, ``arm64``, or the machine's own word."""
    env: Mapping[str, str]
    home: str

    def which(self, program: str) -> str | None:
        """Return where a program lies, or None."""

    def run(self, *argv: str, seconds: float, stdin: str | None = None) -> Answer:
        """Run a program for so many seconds at most."""

    def free(self, path: str) -> int | None:
        """Return the free bytes of a folder's file system, None where there is no such folder."""

    def read(self, path: str) -> str | None:
        """Return a small text file, None where it cannot be read."""

    def exists(self, path: str) -> bool:
        """Tell whether a path exists."""

    def sandbox(self) -> str | None:
        """Return which sandbox works here, ``bubblewrap`` or ``unshare``, or None."""

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Ask a service; redirects are not followed, so that no secret goes elsewhere."""


class ThisMachine:
    """The machine that this runs on.

    :param seconds: after so many seconds from now, nothing is started or waited for any more.
    """

    def __init__(self, *, seconds: float) -> None:
        self.system = platform.system().lower()
        self.arch = ARCHS.get(platform.machine().lower(), platform.machine().lower())
        self.env: Mapping[str, str] = dict(os.environ)
        self.home = str(Path.home())
        self._stop = Event()
        self._running: set[int] = set()
        self._deadline = time.monotonic() + seconds

    def which(self, program: str) -> str | None:
        """Return where a program lies; uv's comes with venvsmith."""
        if program == "uv":
            import uv  # noqa: PLC0415 - only where it is asked for

            with contextlib.suppress(FileNotFoundError):
                return str(uv.find_uv_bin())
        return shutil.which(program)

    def run(self, *argv: str, seconds: float, stdin: str | None = None) -> Answer:
        """Run a program."""
        left = min(seconds, self._deadline - time.monotonic())
        if left <= 0 or self._stop.is_set():
            return Answer(returncode=-1, timed_out=True)
        command = Command(
            argv=(self.which(argv[0]) or argv[0], *argv[1:]),
            timeout=left,
            stdin=None if stdin is None else stdin.encode(),
            output_limit=READ_LIMIT,
            stop_when_full=True,
        )
        self._running.add(id(command))
        try:
            done = run(command, stop=self._stop)
        finally:
            self._running.discard(id(command))
        if done.returncode == process.NOT_FOUND and not done.stdout:
            return Answer(returncode=process.NOT_FOUND, stderr=done.error_text)
        return Answer(
            returncode=done.returncode,
            stdout=done.text,
            stderr=done.error_text,
            timed_out=done.timed_out,
        )

    def close(self) -> None:
        """Stop what still runs, and wait for its end a little."""
        self._stop.set()
        end = time.monotonic() + CLOSE_SECONDS
        while self._running and time.monotonic() < end:
            time.sleep(process.POLL_SECONDS)

    def free(self, path: str) -> int | None:
        """Return the free bytes that this user may use."""
        try:
            return shutil.disk_usage(path).free
        except OSError:
            return None

    def read(self, path: str) -> str | None:
        """Return a small text file."""
        try:
            with Path(path).open(encoding="utf-8", errors="replace") as file:
                return file.read(READ_LIMIT)
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Tell whether a path exists."""
        try:
            return Path(path).exists()
        except OSError:
            return False

    def sandbox(self) -> str | None:
        """Return which sandbox works here: tried, not guessed."""
        if sys.platform != "linux":
            return None
        from venvsmith.sandbox import find_sandbox  # noqa: PLC0415 - the others have none

        found = find_sandbox()
        return None if found is None else found.kind

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Ask a service."""
        opener = urllib.request.build_opener(_Stay)
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - http(s), see below
        if request.type not in {"http", "https"}:
            return Reply(status=0, why=f"{request.type}: is not asked")
        left = min(HTTP_SECONDS, self._deadline - time.monotonic())
        try:
            with opener.open(request, timeout=max(left, 0.1)) as reply:
                return _reply(reply.status, reply.headers, reply.read(BODY_LIMIT))
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.headers, b"")
        except urllib.error.URLError as error:
            return Reply(status=0, why=_why(error.reason))
        except (OSError, HTTPException, ValueError) as error:
            return Reply(status=0, why=_why(error))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the answer itself is what was asked for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Return no request."""


def _reply(status: int, headers: Any, body: bytes) -> Reply:
    names = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    return Reply(status=status, headers=names, body=body.decode("utf-8", "replace"))


def _why(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is signed by nobody that is known here (see SSL_CERT_FILE)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
