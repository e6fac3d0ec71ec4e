"""The files of an application: packed ones read by position, links, and where they may lie."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

import pytest

from frozen_archives import Archive, library
from venvsmith.bundle import packed
from venvsmith.bundle.contents import Bundle, read_bundle
from venvsmith.errors import UnsafeInputError, UsageError


def application(path: Path, archive: Archive) -> Bundle:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.data())
    path.chmod(0o755)
    return read_bundle(path)


@pytest.mark.parametrize("form", ["compressed", "as it is"])
def test_a_packed_file_is_read_in_any_order(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PIECE": 1000, "PAGE": 700, "PAGES": 3, "APART": 5}.items():
        monkeypatch.setattr(packed, name, value)
    chance = random.Random(7)  # noqa: S311 - the same in each run
    data = chance.randbytes(20_000) + b"\0" * 20_000 + chance.randbytes(20_000)
    stored = zlib.compress(data) if form == "compressed" else data
    size = len(data) if form == "compressed" else None
    bundle = application(tmp_path / "app", Archive(extra=[("a.bin", "b", stored, size)]))
    with bundle.archive, bundle.open("a.bin") as handle:
        assert handle.size == len(data)
        for _ in range(200):
            start = chance.randrange(len(data) + 10)
            count = chance.choice([0, 1, 40, 9000, len(data)])
            assert handle.pread(count, start) == data[start : start + count]


def test_a_packed_file_that_is_shorter_than_told_is_refused(tmp_path: Path) -> None:
    stored = zlib.compress(b"x" * 100)
    bundle = application(tmp_path / "app", Archive(extra=[("a.bin", "b", stored, 200)]))
    with (
        bundle.archive,
        bundle.open("a.bin") as handle,
        pytest.raises(UnsafeInputError, match="end early"),
    ):
        handle.pread(101, 0)


def test_a_packed_link_leads_on_from_its_own_folder(tmp_path: Path) -> None:
    links = {
        "libtop.so": b"a/liba.so.1",
        "a/liba.so": b"liba.so.1",
        "a/b/up.so": b"../liba.so",
        "a/gone.so": b"libtop.so",
        "circle.so": b"circle.so",
    }
    whole = Archive(extra=[("a/liba.so.1", "b", b"content", None)])
    whole.extra += [(name, "n", target + b"\0", None) for name, target in links.items()]
    bundle = application(tmp_path / "app", whole)
    with bundle.archive:
        there = [name for name in links if name in bundle.files]
        assert there == ["libtop.so", "a/liba.so", "a/b/up.so"]
        for name in there:
            with bundle.open(name) as handle:
                assert handle.pread(7, 0) == b"content"
        with pytest.raises(FileNotFoundError):
            bundle.open("a/gone.so")


def test_linked_folders_are_followed_inside_the_bundle_alone(tmp_path: Path) -> None:
    inside = tmp_path / "app" / "_internal"
    (inside / "real").mkdir(parents=True)
    (inside / "base_library.zip").write_bytes(library())
    (inside / "real" / "x.txt").write_text("x")
    (inside / "real" / "round").symlink_to("..")
    (inside / "linked").symlink_to("real")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "y.txt").write_text("y")
    (inside / "out").symlink_to("../../secret")
    bundle = application(tmp_path / "app" / "app", Archive(base_library=False))
    with bundle.archive:
        assert bundle.files == {"base_library.zip", "real/x.txt", "linked/x.txt"}


def test_a_link_to_the_executable_stands_for_it(tmp_path: Path) -> None:
    inside = tmp_path / "app" / "_internal"
    inside.mkdir(parents=True)
    (inside / "base_library.zip").write_bytes(library())
    application(tmp_path / "app" / "app", Archive(base_library=False)).archive.__exit__(*[None] * 3)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "run").symlink_to(tmp_path / "app" / "app")
    bundle = read_bundle(tmp_path / "bin" / "run")
    with bundle.archive:
        assert (bundle.archive.path, bundle.folder) == (tmp_path / "app" / "app", inside)


def test_an_application_that_may_not_be_executed_is_told_as_that(tmp_path: Path) -> None:
    folder = tmp_path / "my app"
    (folder / "_internal").mkdir(parents=True)
    (folder / "_internal" / "base_library.zip").write_bytes(library())
    application(folder / "app", Archive(base_library=False)).archive.__exit__(*[None] * 3)
    (folder / "app").chmod(0o644)
    with pytest.raises(UnsafeInputError, match="may not be executed") as caught:
        read_bundle(folder)
    assert str(caught.value.hint).startswith(f"chmod +x '{folder}/app'")
    with read_bundle(folder / "app").archive as archive:
        assert archive.path == folder / "app"


def test_a_name_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    inside = tmp_path / "app" / "_internal"
    inside.mkdir(parents=True)
    (inside / "base_library.zip").write_bytes(library())
    (Path(os.fsdecode(os.fsencode(inside) + b"/lib\xff.so"))).write_bytes(b"x")
    bundle = application(tmp_path / "app" / "app", Archive(base_library=False))
    with bundle.archive:
        assert bundle.files == {"base_library.zip"}


def test_what_may_not_be_read_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read all, so the refusal is made by hand."""
    application(tmp_path / "app", Archive()).archive.__exit__(*[None] * 3)

    def refuse(path: object, _flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match="Permission denied") as caught:
        read_bundle(tmp_path / "app")
    assert (caught.value.exit_code, caught.value.code) == (2, "no-such-target")
