"""A package index that fails on purpose: a real HTTP server with real small wheels.

It serves the simple API (PEP 503) below ``/simple`` and the wheels below ``/files``. A fault is
put on the pages, on the files or on both, and can be put on and taken away while it runs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import subprocess
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from resolve.workshop import ANY, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal[
    "status", "silent", "drip", "truncated", "reset", "garbage", "redirect", "wrong-hash", "yanked"
]
Place = Literal["page", "file", "both"]
USER, PASSWORD = "maintainer", "s3cret-canary"
DRIP_SECONDS = 0.2
PROMISED = 1_000_000
"""Bytes that a dripping or truncated answer says it will have."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong, where, and how often (always, where ``times`` is 0)."""

    kind: Kind
    at: Place = "page"
    status: int = 200
    times: int = 0
    target: str = ""


@dataclass(kw_only=True)
class FaultyIndex:
    """The server and its wheels."""

    folder: Path
    fault: Fault | None = None
    private: bool = False
    """Whether it asks for the user and password."""
    host: str = "127.0.0.1"
    tls: Path | None = None
    """Folder for a certificate that nobody knows, where it speaks TLS."""
    only: str = ""
    """The one name that the fault is about, any where empty."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Path and Authorization header of each request."""
    _server: ThreadingHTTPServer | None = None
    _struck: int = 0

    def add(self, name: str, version: str, *requires: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        wheel = self.folder / f"{name.replace('-', '_')}-{version}-{ANY}.whl"
        write_wheel(wheel, name=name, version=version, requires=requires)
        return wheel

    def change(self, wheel: Path) -> None:
        """Replace a wheel by another one of the same name, as a careless owner does."""
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr("changed.txt", "changed")

    def put(self, fault: Fault | None) -> None:
        self.fault, self._struck = fault, 0

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address with user and password in it, as a machine's settings may have it."""
        scheme = "https" if self.tls is not None else "http"
        return f"{scheme}://{USER}:{PASSWORD}@{self.host}:{self.port}/simple"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"serves": self})
        self._server = ThreadingHTTPServer((self.host, 0), handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*_certificate(self.tls))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def strikes(self, path: str) -> Fault | None:
        """Return the fault of this request, or None where it is served well."""
        fault = self.fault
        place = "page" if path.startswith("/simple/") else "file"
        if fault is None or fault.at not in {place, "both"} or self.only not in path:
            return None
        self._struck += 1
        return fault if not fault.times or self._struck <= fault.times else None

    def page(self, name: str, fault: Fault | None) -> bytes:
        """Return the page of a name; a fault of its content is in it."""
        lines = []
        for file in sorted(self.folder.glob(f"{name.replace('-', '_')}-*.whl")):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if fault is not None and fault.kind == "wrong-hash":
                digest = "0" * 64
            yanked = ' data-yanked="broken"' if fault and fault.kind == "yanked" else ""
            lines.append(f'<a href="/files/{file.name}#sha256={digest}"{yanked}>{file.name}</a>')
        return "\n".join(["<!DOCTYPE html><html><body>", *lines, "</body></html>"]).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    serves: FaultyIndex

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        # A client that has read what it needs may hang up.
        with contextlib.suppress(OSError):
            self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def _answer(self, *, body: bool) -> None:
        authorization = self.headers.get("Authorization", "")
        self.serves.seen.append((self.path, authorization))
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.serves.private and authorization != expected:
            self._send(401, b"who are you?", body=body, header="WWW-Authenticate: Basic realm=x")
            return
        fault = self.serves.strikes(self.path)
        if fault is not None and fault.kind not in {"wrong-hash", "yanked"}:
            self._fail(fault, body=body)
            return
        parts = self.path.strip("/").split("/")
        file = self.serves.folder / parts[-1]
        if parts[0] == "simple" and list(self.serves.folder.glob(f"{parts[-1]}-*.whl")):
            page = self.serves.page(parts[-1], fault)
            self._send(200, page, body=body, header="Content-Type: text/html")
        elif parts[0] == "files" and file.is_file():
            self._send(200, file.read_bytes(), body=body)
        else:
            self._send(404, b"not here", body=body)

    def _send(self, status: int, data: bytes, *, body: bool, header: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        if header:
            self.send_header(*header.split(": ", 1))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _fail(self, fault: Fault, *, body: bool) -> None:
        self.close_connection = True
        match fault.kind:
            case "status":
                self._send(fault.status, b"no", body=body)
            case "garbage":
                page = b"\x00\xff<a <a href=\x80>>"
                self._send(200, page, body=body, header="Content-Type: text/html")
            case "redirect":
                self._send(302, b"", body=body, header=f"Location: {fault.target}{self.path}")
            case "silent":
                time.sleep(60)
            case _:
                self._half(fault, body=body)

    def _half(self, fault: Fault, *, body: bool) -> None:
        """Begin an answer and do not end it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(PROMISED))
        self.send_header("Connection", "close")
        self.end_headers()
        if not body:
            return
        self.wfile.write(b"<!DOCTYPE html><html><body>\n")
        while fault.kind == "drip":
            time.sleep(DRIP_SECONDS)
            self.wfile.write(b"\n")
        if fault.kind == "reset":
            # A linger of nothing: the connection ends with RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    argv = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


@contextlib.contextmanager
def nobody_listens() -> Iterator[str]:
    """Yield the address of a port that refuses connections, and keeps doing so."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://{USER}:{PASSWORD}@127.0.0.1:{held.getsockname()[1]}/simple"


def add_uv(folder: Path) -> Path:
    """Put the uv that is installed here back into a wheel, as builds install it by hash."""
    folder.mkdir(parents=True, exist_ok=True)
    found = distribution("uv")
    stem = f"uv-{found.version}"
    wheel = folder / f"{stem}-{ANY}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in found.files or ():
            name = str(file)
            if name.endswith("/bin/uv"):
                name = f"{stem}.data/scripts/uv"
            if ".." in name or name.endswith((".pyc", "uvx", "RECORD", "INSTALLER")):
                continue
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = 0o100755 << 16
            archive.writestr(info, Path(str(file.locate())).read_bytes())
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return wheel
