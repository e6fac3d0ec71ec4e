"""Reads text that anyone may have written: no more of it than is asked for, and never a pipe."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 4 * 1024 * 1024
"""Bytes of a file that a person writes."""


def read_text(path: Path, limit: int = LIMIT) -> str:
    """Return the text of a plain file in UTF-8, with or without a byte order mark.

    Its lines end in a line feed alone.

    :raises OSError: where it cannot be read.
    :raises ValueError: where it is none such, or longer than ``limit`` bytes. What it says goes
        behind the file's name.
    """
    return read_exactly(path, limit).removeprefix("\ufeff").replace("\r\n", "\n")


def read_exactly(path: Path, limit: int = LIMIT) -> str:
    """Return the text of a plain file in UTF-8 as it stands there.

    :raises OSError: as `read_text` does.
    :raises ValueError: as `read_text` does.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            message = "is no plain file"
            raise ValueError(message)
        data = file.read(limit + 1)
    if len(data) > limit:
        message = f"is longer than {limit} bytes"
        raise ValueError(message)
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        message = f"is not UTF-8 at byte {exc.start}"
        raise ValueError(message) from exc


def read_toml(path: Path, limit: int = LIMIT) -> dict[str, Any]:
    """Return what a TOML file holds.

    :raises OSError: where it cannot be read.
    :raises ValueError: where it is no such file; see `read_text`.
    """
    text = read_text(path, limit)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        message = f"is no TOML: {exc}"
        raise ValueError(message) from exc
    except RecursionError as exc:
        message = "is nested too deeply"
        raise ValueError(message) from exc
    except ValueError as exc:  # Python limits how many digits of an integer it converts
        message = "holds an integer of thousands of digits"
        raise ValueError(message) from exc


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to would be waited for otherwise."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
