"""Both sandboxes, on this machine: what a program sees where."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from venvsmith.process import Command, run
from venvsmith.sandbox import Bind, Kind, Sandbox


@pytest.fixture(params=["bubblewrap", "unshare"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    kind: Kind = request.param
    sandbox = Sandbox(kind=kind)
    argv = sandbox.wrap(["true"], binds=[], network=False)
    if run(Command(argv=argv, timeout=20)).returncode != 0:
        pytest.skip(f"{kind} does not work here")
    return sandbox


@pytest.fixture(params=["/tmp", "/mnt"])  # noqa: S108 - a folder of its own is made there
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    try:
        made = Path(tempfile.mkdtemp(dir=request.param))
    except OSError:
        pytest.skip(f"nothing can be made in {request.param}")
    yield made
    shutil.rmtree(made)


def test_a_folder_is_seen_elsewhere_wherever_it_lies(sandbox: Sandbox, folder: Path) -> None:
    (folder / "file").write_text("seen")
    binds = [Bind(source=folder, target="/venvsmith-there/it")]
    argv = sandbox.wrap(["cat", "/venvsmith-there/it/file"], binds=binds, network=False)
    done = run(Command(argv=argv, timeout=60))
    assert (done.text, done.error_text) == ("seen", "")
