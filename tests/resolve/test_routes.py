"""Names with an index of their own come from it and from nowhere else, direct or not."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from resolve.workshop import LocalIndex
from venvsmith.errors import JudgedError, SurroundingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resolve.workshop import Workshop


@pytest.fixture
def private(tmp_path: Path) -> LocalIndex:
    return LocalIndex(folder=tmp_path / "private")


def hash_of(index: LocalIndex, name: str) -> str:
    (wheel,) = (index.folder / "simple" / name).glob("*.whl")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_names_come_from_their_index_and_the_others_from_the_default(
    index: LocalIndex, private: LocalIndex, workshop: Workshop
) -> None:
    private.add("acme-a", "1", "acme-b", "lib")
    private.add("acme-b", "1")
    private.add("lib", "9")  # not of the pattern: must not come from here
    index.add("acme-b", "9")  # of the pattern: must not come from there
    index.add("lib", "1")
    workshop.route("internal", private.url, "acme-*")
    workshop.stage("base", "lib").stage("app", "acme-a", extends="base")

    workshop.lock()

    assert workshop.pins("base.cpu") == {"lib": "1"}
    assert workshop.pins("app.cpu") == {"acme-a": "1", "acme-b": "1", "lib": "1"}
    assert hash_of(private, "acme-b") in (workshop.root / "locks/app.cpu.txt").read_text()


def test_transitive_name_that_the_default_index_lacks_or_has_too_old_is_found(
    index: LocalIndex, private: LocalIndex, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whose name is that of a distribution makes nothing of what a resolver says unreadable.
    monkeypatch.setenv("VENVSMITH_INDEX_INTERNAL_USERNAME", "acme")
    monkeypatch.setenv("VENVSMITH_INDEX_INTERNAL_PASSWORD", "s3cret")
    index.add("front", "1", "acme-a")
    private.add("acme-a", "1", "acme-b>=2")
    private.add("acme-b", "2", "acme-c")
    index.add("acme-b", "1")
    private.add("acme-c", "3")
    workshop.route("internal", private.url, "acme-*").stage("base", "front").lock()
    assert workshop.pins("base.cpu") == {
        "acme-a": "1",
        "acme-b": "2",
        "acme-c": "3",
        "front": "1",
    }


def test_name_that_was_only_tried_is_not_locked(
    index: LocalIndex, private: LocalIndex, workshop: Workshop
) -> None:
    # The newest front asks for acme-old, which does not exist there in that version.
    index.add("front", "2", "acme-old>=5")
    index.add("front", "1")
    private.add("acme-old", "1", "acme-dep")
    private.add("acme-dep", "1")
    workshop.route("internal", private.url, "acme-*").stage("base", "front").lock()
    assert workshop.pins("base.cpu") == {"front": "1"}


def test_name_missing_from_its_index_is_not_taken_from_the_default(
    index: LocalIndex, private: LocalIndex, workshop: Workshop
) -> None:
    index.add("acme-a", "1")
    private.add("acme-other", "1")
    workshop.route("internal", private.url, "acme-*").stage("base", "acme-a")
    with pytest.raises(JudgedError, match="acme-a was not found"):
        workshop.lock()


def test_lock_holds_no_address(index: LocalIndex, private: LocalIndex, workshop: Workshop) -> None:
    private.add("acme-a", "1")
    workshop.route("internal", private.url, "acme-*").stage("base", "acme-a").lock()
    assert all(b"://" not in text for text in workshop.files().values())


class Guarded(http.server.SimpleHTTPRequestHandler):
    """Serves a folder to whoever knows the password."""

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(b"robot:s3cret").decode()
        if self.headers.get("Authorization") == expected:
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def guarded(private: LocalIndex) -> Iterator[str]:
    private.add("acme-a", "1")
    handler = functools.partial(Guarded, directory=str(private.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


def test_credentials_come_from_variables_and_show_up_nowhere(
    index: LocalIndex, guarded: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("lib", "1")
    workshop.route("internal", guarded, "acme-*").stage("base", "acme-a", "lib")
    with pytest.raises(SurroundingsError) as caught:
        workshop.lock()
    assert caught.value.code == "index-refused"
    assert "401 Unauthorized" in caught.value.message
    assert caught.value.where == guarded
    assert "VENVSMITH_INDEX_INTERNAL_USERNAME" in caught.value.hint

    monkeypatch.setenv("VENVSMITH_INDEX_INTERNAL_USERNAME", "robot")
    monkeypatch.setenv("VENVSMITH_INDEX_INTERNAL_PASSWORD", "s3cret")
    workshop.lock()
    assert workshop.pins("base.cpu") == {"acme-a": "1", "lib": "1"}
    assert all(b"s3cret" not in text for text in workshop.files().values())
