"""Reading the modules of an application: with several processes, and from where they lie."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from frozen_archives import Archive, code
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


def modules_of(path: Path, archive: Archive) -> FrozenModules:
    path.write_bytes(archive.data())
    return FrozenModules(read_bundle(path))


def test_the_header_before_an_entry_of_the_bootstrap_is_taken_off(tmp_path: Path) -> None:
    """PyInstaller leaves it there until 5.2, and none of its later releases does."""
    plain = code("import gone")
    headed = MAGIC_NUMBER + bytes(12) + plain
    archive = Archive(extra=[("early", "m", headed, None), ("late", "m", plain, None)])
    modules = modules_of(tmp_path / "app", archive)
    with modules.archive:
        early, late = modules.read("early"), modules.read("late")
    assert early is not None
    assert [entry.module for entry in early.imports] == ["gone"]
    assert early == late


def test_an_entry_of_the_bootstrap_in_an_unknown_form_says_nothing(tmp_path: Path) -> None:
    modules = modules_of(tmp_path / "app", Archive(extra=[("odd", "m", b"\xff" * 40, None)]))
    with modules.archive:
        assert modules.has("odd")
        assert modules.read("odd") is None


def packed(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytearray:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, data in members:
            archive.writestr(name, data)
    return bytearray(file.getvalue())


def encrypted() -> bytearray:
    data = packed([("os.pyc", bytes(100))])
    data[data.find(b"PK\3\4") + 6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1
    return data


def cut_off() -> bytearray:
    data = packed([("os.pyc", bytes(100))])
    at = data.find(b"PK\1\2") + 42
    data[at : at + 4] = (len(data) - 10).to_bytes(4, "little")
    return data


def damaged() -> bytearray:
    data = packed([("os.pyc", bytes(100))], zipfile.ZIP_DEFLATED)
    data[data.find(b"os.pyc") + 6] = 0xFF
    return data


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(encrypted(), id="encrypted"),
        pytest.param(cut_off(), id="beyond the end"),
        pytest.param(damaged(), id="damaged"),
        pytest.param(packed([("os.pyc", bytes(100))], zipfile.ZIP_LZMA), id="lzma"),
        pytest.param(packed([("os.pyc", bytes(100))], zipfile.ZIP_BZIP2), id="bzip2"),
    ],
)
def test_a_library_member_that_cannot_be_read_is_malformed(
    library: bytearray, tmp_path: Path
) -> None:
    modules = modules_of(tmp_path / "app", Archive(library=bytes(library)))
    with modules.archive, pytest.raises(UnsafeInputError) as caught:
        modules.read("os")
    assert (caught.value.exit_code, caught.value.code) == (3, "bundle-malformed")
    assert "base_library.zip" in str(caught.value.where)


def test_of_the_library_only_what_is_wanted_is_read_and_a_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [("os.pyc", b"")] * 50
    members += [("os.pyc", bytes(16) + code("import gone")), ("encodings/__init__.pyc", b"")]
    read: list[str] = []
    whole = zipfile.ZipFile.read

    def noted(archive: zipfile.ZipFile, name: zipfile.ZipInfo) -> bytes:
        read.append(getattr(name, "filename", str(name)))
        return whole(archive, name)

    monkeypatch.setattr(zipfile.ZipFile, "read", noted)
    modules = modules_of(tmp_path / "app", Archive(library=bytes(packed(members))))
    with modules.archive:
        assert read == []
        found = modules.read("os")
    assert found is not None
    assert [entry.module for entry in found.imports] == ["gone"]
    assert read == ["os.pyc"]
