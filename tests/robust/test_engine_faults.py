"""An engine that is not there, says nothing or lacks a part: the table in docs/faults.md, tried."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import copied_family
from robust.test_index_faults import TABLE, as_said

IMAGE = "venvsmith-test/bookworm:1"
COMMANDS = {
    "build": ["build", "--no-verify"],
    "verify of an image": ["verify", IMAGE, "--static"],
    "push": ["push"],
}
SECONDS = 60.0
"""What no command may take, on a busy machine either."""


@contextlib.contextmanager
def _stopped(folder: Path) -> Iterator[dict[str, str]]:
    yield {"DOCKER_HOST": f"unix://{folder}/no.sock"}


@contextlib.contextmanager
def _no_docker(folder: Path) -> Iterator[dict[str, str]]:
    yield {"PATH": f"{folder}/empty"}


@contextlib.contextmanager
def _silent(folder: Path) -> Iterator[dict[str, str]]:
    """An engine whose socket takes connections, and nothing ever comes back."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/silent.sock")
        listener.listen(64)
        yield {"DOCKER_HOST": f"unix://{folder}/silent.sock", "VENVSMITH_TOOL_TIMEOUT": "2"}


@contextlib.contextmanager
def _no_buildx(folder: Path) -> Iterator[dict[str, str]]:
    """The real docker, which says of a missing plugin what it says of any unknown command."""
    own = folder / "bin" / "docker"
    own.parent.mkdir()
    own.write_text(
        '#!/bin/sh\n[ "$1" != buildx ] || set -- no-such-plugin\n'
        f'exec {shutil.which("docker")} "$@"\n'
    )
    own.chmod(0o755)
    yield {"PATH": f"{own.parent}:{os.environ['PATH']}"}


ENGINES = {
    "it does not run": _stopped,
    "there is no docker command": _no_docker,
    "it gives no answer": _silent,
    "it has no buildx": _no_buildx,
}


def table() -> dict[tuple[str, str], str]:
    """Return what the table says for each engine and command."""
    lines = TABLE.read_text().partition("| engine |")[2].partition("\n\n")[0].splitlines()
    heads = [head.strip() for head in lines[0].strip("|").split("|")]
    return {
        (cells[0].strip(), head): cells[number].replace("`", "").strip()
        for cells in (line.strip("|").split("|") for line in lines[2:])
        for number, head in enumerate(heads, 1)
    }


EXPECTED = table()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with copied_family(tmp_path_factory.mktemp("engine-faults")) as folder:
        file = folder / "venvsmith.toml"
        file.write_text(
            file.read_text().replace(
                "user = 1001", 'user = 1001\ntags = ["127.0.0.1:9/none:{variant}"]'
            )
        )
        yield folder


def test_the_table_and_the_engines_are_the_same() -> None:
    assert list(EXPECTED) == [(engine, command) for engine in ENGINES for command in COMMANDS]


@pytest.mark.engine
@pytest.mark.parametrize(("engine", "command"), EXPECTED)
def test_a_command_meets_an_engine(
    engine: str, command: str, project: Path, tmp_path: Path
) -> None:
    with ENGINES[engine](tmp_path) as env:
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "venvsmith", *COMMANDS[command]],
            cwd=project, env={**os.environ, **env}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert time.monotonic() - begun < SECONDS
    assert as_said(done.returncode, done.stderr) == EXPECTED[engine, command]
    assert done.returncode != 4 or "; " in done.stderr.splitlines()[-1], "no next command"
