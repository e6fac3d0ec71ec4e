"""The sizes of locked wheels: of the one that would be installed, sticky, never in the way."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import UnsafeInputError
from venvsmith.lock.sizes import read_sizes, sizes_of
from venvsmith.lock.store import read_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resolve.workshop import LocalIndex, Workshop


class Server(http.server.SimpleHTTPRequestHandler):
    """Refuses with `status` where one is set; not uv, which reads metadata by HEAD too."""

    status = 0

    def do_HEAD(self) -> None:
        if self.status and "uv" not in self.headers["User-Agent"]:
            self.send_error(self.status)
        else:
            super().do_HEAD()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(index: LocalIndex, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> Iterator[None]:
    handler = type("Handler", (Server,), {"status": status})
    bound = functools.partial(handler, directory=str(index.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def record(workshop: Workshop) -> dict[str, dict[str, int | None]]:
    content: dict[str, dict[str, int | None]] = json.loads(workshop.files()["sizes.json"])["wheels"]
    return content


def size(index: LocalIndex, name: str, tail: str) -> int:
    return (index.folder / "simple" / name / f"{name}-{tail}.whl").stat().st_size


def test_size_is_that_of_the_wheel_each_platform_would_install(
    index: LocalIndex, workshop: Workshop
) -> None:
    tags = "py3-none-any", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"
    arm = "cp311-abi3-manylinux_2_28_aarch64"
    for tag, requires in ((tags[0], ()), (tags[1], ("a",)), (arm, ("a", "b"))):
        index.add("lib", "1", *(f'{name}; python_version < "3"' for name in requires), tag=tag)
    workshop.variant("cpu", "amd64", "arm64").stage("base", "lib").lock()
    assert record(workshop) == {
        "cpu-amd64": {"lib==1": size(index, "lib", f"1-{tags[1]}")},
        "cpu-arm64": {"lib==1": size(index, "lib", f"1-{arm}")},
    }


def test_sizes_follow_the_locks_and_stay_otherwise(index: LocalIndex, workshop: Workshop) -> None:
    for name in ("lib", "left"):
        index.add(name, "1")
    workshop.stage("base", "lib").stage("a", "left", extends="base").lock()
    path = workshop.root / "locks" / "sizes.json"
    path.write_text(path.read_text().replace(str(record(workshop)["cpu"]["lib==1"]), "7"))
    index.add("left", "2")
    workshop.lock(upgrade_packages=("left",))
    assert record(workshop)["cpu"]["lib==1"] == 7
    assert set(record(workshop)["cpu"]) == {"lib==1", "left==2"}

    project = workshop.project()
    keys = {key.stage: key for key in project.lock_keys()}
    pins = read_lock(project, keys["a"]).pins
    assert sizes_of(read_sizes(project), keys["a"], pins)["lib"] == 7

    del workshop.stages["a"]
    workshop.lock()
    assert set(record(workshop)["cpu"]) == {"lib==1"}


def test_wheel_of_a_folder_has_the_size_of_its_file(index: LocalIndex, workshop: Workshop) -> None:
    index.add("lib", "1")
    wheels = workshop.root / "wheels"
    (index.folder / "simple" / "lib").rename(wheels)
    workshop.variant("cpu", "amd64", find_links=("wheels",)).stage("base", "lib").lock()
    found = (wheels / "lib-1-py3-none-any.whl").stat().st_size
    assert record(workshop) == {"cpu": {"lib==1": found}}


@pytest.mark.parametrize(("status", "recorded"), [(0, True), (403, None), (503, False)])
def test_server_is_asked_where_the_index_tells_no_size(
    index: LocalIndex,
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    *,
    recorded: bool | None,
) -> None:
    """A refusal is remembered as unknown; a server that fails is asked again by the next run."""
    index.add("lib", "1")
    workshop.stage("base", "lib")
    with served(index, monkeypatch, status):
        workshop.lock()
    found = {"lib==1": size(index, "lib", "1-py3-none-any") if recorded else None}
    if recorded is False:
        assert "sizes.json" not in workshop.files()
        with served(index, monkeypatch):
            workshop.lock()
        found = {"lib==1": size(index, "lib", "1-py3-none-any")}
    assert record(workshop) == {"cpu": found}


def test_damaged_record_is_named(index: LocalIndex, workshop: Workshop) -> None:
    index.add("lib", "1")
    workshop.stage("base", "lib").lock()
    (workshop.root / "locks" / "sizes.json").write_text('{"schema": "venvsmith/sizes/1"}')
    with pytest.raises(UnsafeInputError, match="not a record of wheel sizes") as caught:
        workshop.lock()
    assert caught.value.where == "locks/sizes.json"
