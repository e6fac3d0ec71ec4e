"""The locks in this repository are what its configurations ask for, and sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from venvsmith.config import load
from venvsmith.data.pairs import mismatches
from venvsmith.lock import delta, read_locks, read_tools
from venvsmith.model.project import Project
from venvsmith.resolve import LockOptions, check_project

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["venvsmith.toml", "examples/quickstart/venvsmith.toml"])
def project(request: pytest.FixtureRequest) -> Project:
    return load(ROOT / request.param)


def test_locks_are_up_to_date_and_sound(project: Project) -> None:
    assert check_project(project, LockOptions()) == ()
    for key, lock in read_locks(project).items():
        assert list(mismatches({pin.name: pin.version for pin in lock.pins})) == [], key
    assert [pin.name for pin in read_tools(project)] == ["uv"]


def test_each_stage_adds_to_its_parent() -> None:
    locks = read_locks(load(ROOT / "venvsmith.toml"))
    cuda = {key.stage: lock for key, lock in locks.items() if key.variant == "cuda"}
    assert list(cuda) == ["torch", "pyannote", "whisperx"]
    assert "whisperx" in {pin.name for pin in delta(cuda["whisperx"], cuda["pyannote"])}
    assert "pyannote-audio" in {pin.name for pin in delta(cuda["pyannote"], cuda["torch"])}


def test_the_cpu_variant_holds_nothing_for_a_gpu() -> None:
    locks = read_locks(load(ROOT / "venvsmith.toml"))
    names = {name for key, lock in locks.items() if key.variant == "cpu" for name in lock.names()}
    assert "torch" in names
    assert not {name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))}
