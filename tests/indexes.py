"""A package index behind a password, that containers reach too: a few lines over a folder."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Guarded(http.server.SimpleHTTPRequestHandler):
    """Serves a folder to whoever knows the password, and counts who did."""

    login = b""
    served: list[str]

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(self.login).decode()
        if self.headers.get("Authorization") == expected:
            self.served.append(self.path)
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="wheels"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def gateway() -> str:
    """Return this machine's address as containers see it."""
    argv = ["docker", "network", "inspect", "bridge"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    address: str = json.loads(done.stdout)[0]["IPAM"]["Config"][0]["Gateway"]
    return address


@contextmanager
def guarded(folder: Path, *, user: str, password: str) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder; yield its address, and the list of paths that were served."""
    served: list[str] = []
    login = f"{user}:{password}".encode()
    handler = type("Guarded", (_Guarded,), {"login": login, "served": served})
    bound = functools.partial(handler, directory=str(folder))
    host = gateway()
    with http.server.ThreadingHTTPServer((host, 0), bound) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}", served
        finally:
            server.shutdown()
            thread.join()
