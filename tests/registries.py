"""Image registries for tests: Debian's, with a login or a small disk, and a proxy that fails it.

The proxy stands between the engine and a real registry. A fault is put on it and taken away while
it runs; it counts the bytes of content that pass.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self

from waiting import eventually

USER, PASSWORD = "maintainer", "s3cret-canary"
# bcrypt of that password, with a cost of 4.
HTPASSWD = f"{USER}:$2b$04$19Hoo/sAtEp7YaGVeEIcRebo2tUwt8I9GQz0gNEqBXMkZtZfhb1o2\n"
CONFIG = """\
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
http: {addr: "%s"}
"""
CHUNK = 16 * 1024

Kind = Literal["status", "reset", "slow", "silent"]
Place = Literal["content", "manifest", "tag", "any"]
"""``tag``: a manifest under a name that is not one of venvsmith's own tags of content."""


@contextlib.contextmanager
def serving(folder: Path, *, login: bool = False) -> Iterator[str]:
    """Run a registry whose content lies in a folder; yield its ``host:port``."""
    program = shutil.which("docker-registry")
    assert program, "there is no docker-registry here: run 'make engine'"
    address = f"127.0.0.1:{_free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    text = CONFIG % (folder / "storage", address)
    if login:
        (folder / "htpasswd").write_text(HTPASSWD)
        text += f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}\n"
    (folder / "config.yml").write_text(text)
    argv = [program, "serve", str(folder / "config.yml")]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        _wait(address, running)
        yield address
    finally:
        running.terminate()
        running.wait(30)


def _wait(address: str, running: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert running.poll() is None, "the registry ended at once"
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=30):
                return True
        except urllib.error.HTTPError as error:
            with error:
                return True
        except OSError:
            return False

    eventually(answers)


def _free_port() -> int:
    """Return a port below those that the kernel gives to whoever connects somewhere meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


def ask(address: str, path: str, *, login: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Ask a registry's API; return status, headers and body."""
    request = urllib.request.Request(f"http://{address}/v2/{path}")
    request.add_header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
    if login:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {basic}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def digest_of(address: str, repository: str, tag: str, *, login: bool = False) -> str:
    """Return what a tag stands for in a registry; empty where there is none."""
    status, headers, _ = ask(address, f"{repository}/manifests/{tag}", login=login)
    return headers["Docker-Content-Digest"] if status == 200 else ""


def tags_of(address: str, repository: str) -> list[str]:
    status, _, body = ask(address, f"{repository}/tags/list")
    return sorted(json.loads(body)["tags"] or []) if status == 200 else []


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with which requests.

    ``after`` of them go well first, and ``times`` fail then: all, where it is 0.
    """

    kind: Kind
    at: Place = "any"
    status: int = 500
    body: str = ""
    after: int = 0
    times: int = 0
    rate: int = 0
    """Bytes a second of a slow one."""


@dataclass(kw_only=True)
class FaultyRegistry:
    """A proxy before a registry."""

    upstream: str
    fault: Fault | None = None
    content_bytes: int = 0
    """Bytes of layers and configurations that clients have sent."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    struck: int = 0
    _server: ThreadingHTTPServer | None = None
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, fault: Fault | None) -> None:
        with self._lock:
            self.fault, self._count, self.struck = fault, 0, 0

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"serves": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def strikes(self, method: str, path: str) -> Fault | None:
        """Return the fault of this request, or None where it is passed on well."""
        with self._lock:
            self.seen.append((method, path))
            fault = self.fault
            if fault is None or not _is_at(fault.at, method, path):
                return None
            self._count += 1
            turn = self._count - fault.after
            if turn <= 0 or (fault.times and turn > fault.times):
                return None
            self.struck += 1
            return fault

    def sent(self, count: int) -> None:
        with self._lock:
            self.content_bytes += count


def _is_at(place: Place, method: str, path: str) -> bool:
    manifest = method == "PUT" and "/manifests/" in path
    return {
        "any": True,
        "content": method in {"POST", "PATCH", "PUT"} and "/blobs/uploads/" in path,
        "manifest": manifest,
        "tag": manifest and "/manifests/venvsmith-" not in path,
    }[place]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    serves: FaultyRegistry

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def _pass(self) -> None:
        fault = self.serves.strikes(self.command, self.path)
        with contextlib.suppress(OSError, http.client.HTTPException):
            if fault is None or fault.kind == "slow":
                self._forward(fault.rate if fault else 0)
            else:
                self._fail(fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - the base's

    def _fail(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.kind == "silent":
            time.sleep(60)
            return
        if fault.kind == "reset":
            next(self._body(), b"")
            # A linger of nothing: the connection ends with RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        for _ in self._body():
            pass
        data = fault.body.encode()
        self.send_response(fault.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if fault.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> Iterator[bytes]:
        """Yield the request's body, chunked or not."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                while size:
                    part = self.rfile.read(min(size, CHUNK))
                    size -= len(part)
                    yield part
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            part = self.rfile.read(min(left, CHUNK))
            left -= len(part)
            yield part

    def _counted(self, rate: int) -> Iterator[bytes]:
        for part in self._body():
            if "/blobs/uploads/" in self.path:
                self.serves.sent(len(part))
            if rate:
                time.sleep(len(part) / rate)
            yield part

    def _forward(self, rate: int) -> None:
        upstream = http.client.HTTPConnection(self.serves.upstream, timeout=60)
        with contextlib.closing(upstream):
            headers = {k: v for k, v in self.headers.items() if k != "Connection"}
            chunked = "Transfer-Encoding" in headers
            upstream.request(
                self.command,
                self.path,
                body=self._counted(rate),
                headers=headers,
                encode_chunked=chunked,
            )
            answer = upstream.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
                    self.send_header(name, value)
            if answer.getheader("Content-Length") is None:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
