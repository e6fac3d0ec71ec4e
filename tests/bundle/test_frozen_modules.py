"""Reading the modules of an application with several processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from venvsmith.bundle import frozen as room
from venvsmith.bundle.contents import read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.collect.probe import forks
from venvsmith.errors import UnsafeInputError


@pytest.fixture
def shared_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let any work be worth three processes; return those that were started."""
    started: list[int] = []
    fork = os.fork

    def counted() -> int:
        pid = fork()
        started.append(pid)
        return pid

    monkeypatch.setattr(room, "WORTH_A_FORK", 1)
    monkeypatch.setattr(forks, "cores", lambda: 3)
    monkeypatch.setattr(os, "fork", counted)
    yield started
    for pid in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_what_several_processes_read_is_what_one_reads(frozen: Path, shared_out: list[int]) -> None:
    bundle = read_bundle(frozen / "whole")
    with bundle.archive:
        modules = FrozenModules(bundle)
        names = sorted(bundle.archive.modules)
        assert modules.read_all(names) == {name: modules.read(name) for name in names}
    assert len(shared_out) == 2


def test_a_module_that_one_of_them_cannot_read_is_told(copy: Path, shared_out: list[int]) -> None:
    bundle = read_bundle(copy / "whole")
    with bundle.archive:
        names = sorted(bundle.archive.modules)
        for name in names[::7]:
            entry = bundle.archive.modules[name]
            with (copy / "whole").open("r+b") as file:
                file.seek(entry.offset)
                file.write(b"\xff" * min(8, entry.length))
        with pytest.raises(UnsafeInputError, match="does not decompress"):
            FrozenModules(bundle).read_all(names)
    assert len(shared_out) == 2


def test_nothing_is_started_for_little(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a process for four modules"))
    bundle = read_bundle(frozen / "whole")
    with bundle.archive:
        modules = FrozenModules(bundle)
        names = ["alpha", "alpha.beta", "click", "no_such_module"]
        assert set(modules.read_all(names)) == set(names)
