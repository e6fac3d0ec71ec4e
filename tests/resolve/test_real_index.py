"""A small real family from the package index, with an ancestor that all chains must suit."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from venvsmith.resolve import LockOptions, check_project

if TYPE_CHECKING:
    from resolve.workshop import Workshop

pytestmark = pytest.mark.network


def test_real_family_locks_and_installs_with_hashes(workshop: Workshop) -> None:
    # numba 0.60 wants numpy below 2.1, so no newer numpy may stand in the base.
    workshop.variant("cpu", "amd64").variant("arm", "arm64")
    workshop.stage("base", "numpy", variants="cpu arm")
    workshop.stage("a", "numba==0.60.0", extends="base", variants="cpu arm")
    workshop.stage("b", "scipy", extends="base", variants="cpu")

    workshop.lock()

    numpy = workshop.pins("base.cpu")["numpy"]
    assert numpy.startswith("2.0.")
    assert workshop.pins("a.cpu")["numpy"] == workshop.pins("b.cpu")["numpy"] == numpy
    assert workshop.pins("a.arm")["numba"] == "0.60.0"
    assert check_project(workshop.project(), LockOptions()) == ()
    for stem, machine in (("b.cpu", "x86_64"), ("a.arm", "aarch64")):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "uv", "pip", "install", "--no-config", "--dry-run"),
                *("--require-hashes", "--no-deps", "--only-binary", ":all:"),
                *("--python-version", "3.11", "--python-platform", f"{machine}-manylinux_2_28"),
                *("--target", workshop.root / "target"),
                *("-r", workshop.root / f"locks/{stem}.txt"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
