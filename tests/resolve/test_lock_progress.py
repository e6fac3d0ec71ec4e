"""What `venvsmith lock` says while it works: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from resolve.workshop import PINNED

if TYPE_CHECKING:
    from pathlib import Path

    from resolve.workshop import LocalIndex

CONFIG = f"""\
project = {{ name = "demo", python = "3.11", installer = "pip" }}
bases.slim = {{ image = "{PINNED}" }}
variants.cpu = {{ base = "slim", platforms = ["linux/amd64"] }}
stages.base = {{ requires = ["lib"] }}
stages.other = {{ requires = ["lib"] }}
"""


@pytest.fixture
def folder(index: LocalIndex, tmp_path: Path) -> Path:
    index.add("lib", "1")
    root = tmp_path / "demo"
    root.mkdir()
    (root / "venvsmith.toml").write_text(CONFIG)
    return root


def on_terminal(folder: Path, *words: str, term: str = "xterm") -> tuple[str, str]:
    """Return what is written to stdout, and to a terminal as stderr."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "venvsmith", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": term, "COLUMNS": "90"},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    return out, seen.decode()


def test_terminal_sees_one_live_line_with_counts_and_nothing_of_it_stays(folder: Path) -> None:
    # Two may be resolved before the line is first drawn; as many as these are not.
    with (folder / "venvsmith.toml").open("a") as file:
        file.writelines(f'stages.more{n} = {{ requires = ["lib"] }}\n' for n in range(18))
    out, seen = on_terminal(folder, "lock")
    assert "locks/base.cpu.txt: 1 pin, new" in out
    assert re.search(r"\b1?\d of 20 families resolved; at \w+ \(cpu, linux/amd64\)", seen)
    assert "resolving" not in seen
    assert "\x1b[2K" in seen.rpartition("families")[2], "the line is not cleared"


def test_elsewhere_lines_are_plain_and_quiet_is_silent(folder: Path) -> None:
    assert on_terminal(folder, "-q", "lock")[1] == ""
    for path in (folder / "locks").iterdir():
        path.unlink()
    _, seen = on_terminal(folder, "lock", term="dumb")
    assert sorted(seen.splitlines()) == [
        "resolving base (cpu, linux/amd64)",
        "resolving other (cpu, linux/amd64)",
    ]
