"""Whatever lies in a record's place is told in one line that names it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from values import project
from venvsmith.errors import UnsafeInputError
from venvsmith.lock.bases import read_bases
from venvsmith.lock.record import SIZE_LIMIT
from venvsmith.lock.sizes import read_sizes
from venvsmith.lock.store import orphans
from venvsmith.lock.text import TITLE
from venvsmith.lock.trees import read_trees
from venvsmith.lock.wheels import find_wheels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from venvsmith.model.project import Project

READERS = {
    "bases.json": read_bases,
    "sizes.json": read_sizes,
    "trees.json": read_trees,
    "wheels.json": find_wheels,
}


@pytest.mark.parametrize(("name", "read"), READERS.items())
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000, "maximum recursion depth"),
        (b"{", "Expecting property name"),
        (b"\xff", "is not UTF-8 at byte 0"),
        pytest.param(b"[" + b" " * SIZE_LIMIT, "is longer than", id="too much of it"),
        (b"{}", "it has no '"),
        (b"[]", "list indices must be"),
        (None, "Is a directory"),
    ],
)
def test_damage_is_told_with_the_file_and_what_to_do(
    tmp_path: Path, name: str, read: Callable[[Project], object], content: bytes | None, why: str
) -> None:
    of = project(root=tmp_path)
    path = tmp_path / "locks" / name
    assert not read(of)
    path.parent.mkdir()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(UnsafeInputError, match=f"not a record of .*{why}") as caught:
        read(of)
    assert caught.value.where == f"locks/{name}"
    assert "delete it and" in caught.value.hint


def test_what_others_keep_beside_the_locks_is_none_of_ours(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    (folder / "notes.txt").mkdir(parents=True)
    os.mkfifo(folder / "pipe.txt")
    os.mkfifo(folder / "pylock.pipe.toml")
    (folder / "pylock.one.toml").write_text("tool = 1\n")
    (folder / "pylock.two.toml").write_text("x = " + "[" * 50_000)
    (folder / "old.cuda.txt").write_text(f"{TITLE}\n")
    assert orphans(project(root=tmp_path)) == (folder / "old.cuda.txt",)
