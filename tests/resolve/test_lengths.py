"""Many lengths are asked over one connection, and one that a server has ended is opened again."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from venvsmith.resolve.lengths import REMEMBERED, Lengths

if TYPE_CHECKING:
    from pathlib import Path


def test_lengths_come_over_one_connection_which_may_end_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connections: set[int] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            connections.add(self.client_address[1])
            code = {"/gone": 404, "/moved": 302, "/broken": 500}.get(self.path, 200)
            self.send_response(code)
            self.send_header("Content-Length", str(len(self.path)) if code == 200 else "0")
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.close_connection = self.path == "/last"

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://user:secret@127.0.0.1:{server.server_port}"
    with Lengths(offline=False) as lengths:
        assert [lengths.of(f"{at}/{'x' * n}") for n in range(9)] == list(range(1, 10))
        assert len(connections) == 1
        assert lengths.of(f"{at}/last") == 5
        assert lengths.of(f"{at}/xx") == 3
        assert len(connections) == 2
        assert lengths.of(f"{at}/gone") is None
        assert lengths.of(f"{at}/moved") == len("/elsewhere")
        with pytest.raises(OSError):  # noqa: PT011 - any of them: it is asked again another time
            lengths.of(f"{at}/broken")
    server.shutdown()
    server.server_close()
    with Lengths(offline=True) as lengths, pytest.raises(OSError):  # noqa: PT011
        lengths.of(f"{at}/x")


def test_what_is_remembered_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "venvsmith/lengths.json"

    class Told(Lengths):
        """Asks nobody: each file is as long as its address."""

        def _ask(self, url: str) -> str:
            return str(len(url))

    with Told(offline=False) as lengths:
        for number in range(REMEMBERED):
            lengths.of(f"https://h/{number:06}")
    with Told(offline=False) as lengths:
        assert lengths.of("https://h/latest") == 16
        assert lengths.of("https://h/signed?until=noon") == 27
        assert lengths.of("https://[h/none") is None
    kept = json.loads(cache.read_text())
    assert len(kept) == REMEMBERED
    assert "https://h/000000" not in kept
    assert kept["https://h/latest"] == 16
    assert "signed" not in cache.read_text()
    assert [path.name for path in cache.parent.iterdir()] == ["lengths.json"]

    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))  # a file: nothing can lie below it
    with Told(offline=False) as lengths:
        assert lengths.of("https://h/another") == 17
