"""What a build reads of the project, and what it says of what it cannot read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from venvsmith.build.checkout import bring
from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.model.plan import Mount


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project" / "data" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "data" / "deep" / "file").write_text("")
    return tmp_path / "project"


def test_a_file_that_is_gone_is_told_as_what_could_not_be_read(root: Path) -> None:
    with pytest.raises(UsageError, match="cannot be copied: No such file") as caught:
        bring(Mount(source="gone", target="/x"), root=root, to=root / "to")
    assert (caught.value.code, caught.value.where) == ("unreadable", str(root / "gone"))


def test_a_named_pipe_is_told_by_its_name_and_not_waited_for(root: Path) -> None:
    pipe = root / "data" / "deep" / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is a named pipe") as caught:
        bring(Mount(source="data", target="/x"), root=root, to=root / "to")
    assert caught.value.where == str(pipe)


def test_a_file_that_may_not_be_read_is_told_by_its_name(root: Path) -> None:
    def refuse(source: str, _: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", source)

    with pytest.raises(UsageError, match="cannot be copied: Permission denied") as caught:
        bring(Mount(source="data", target="/x"), root=root, to=root / "to", copy=refuse)
    assert caught.value.where == str(root / "data" / "deep" / "file")


@pytest.mark.parametrize("named", ["source", "target"])
def test_a_full_disk_is_the_surroundings_fault(named: str, root: Path) -> None:
    def fill(source: str, target: str) -> None:
        path = {"source": source, "target": target}[named]
        raise OSError(errno.ENOSPC, "No space left on device", path)

    with pytest.raises(SurroundingsError) as caught:
        bring(Mount(source="data", target="/x"), root=root, to=root / "to", copy=fill)
    assert (caught.value.code, caught.value.where) == ("disk", str(root / "to" / "deep" / "file"))
