"""What is read is a plain file of text, and no more of it than was asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from venvsmith.texts import read_text, read_toml


def test_a_byte_order_mark_and_the_line_ends_of_windows_are_no_part_of_a_text(
    tmp_path: Path,
) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    assert read_text(path) == "a\nb\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"# 123456789", "is longer than 10 bytes"),
        (b"# \xff", "is not UTF-8 at byte 2"),
        (b"x = ", "is no TOML: Invalid value (at end of document)"),
    ],
)
def test_what_is_no_such_text_is_refused_in_words(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^is ") as caught:
        read_toml(path, 10)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("x = " + "[" * 20_000, "is nested too deeply"),
        ("x = " + "1" * 5_000, "holds an integer of thousands of digits"),
    ],
)
def test_toml_that_only_python_cannot_read_is_refused_as_well(
    tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "text"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"^{says}$"):
        read_toml(path)


def test_a_pipe_and_a_device_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ValueError, match="is no plain file"):
            read_text(path)
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
