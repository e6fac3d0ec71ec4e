"""pip-tools as the resolver: the same family, the same files; and what it cannot do is said."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import ConfigError, JudgedError, SurroundingsError
from venvsmith.model.project import Platform, Project
from venvsmith.resolve import LockOptions, check_project, lock_project

if TYPE_CHECKING:
    from pathlib import Path

    from resolve.workshop import LocalIndex, Workshop

HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def by_pip(workshop: Workshop) -> Project:
    workshop.variant("cpu", HERE)
    own = "{}.{}".format(*sys.version_info[:2])
    return replace(workshop.project(), resolver="pip-tools", python=own)


@pytest.fixture
def family(index: LocalIndex, workshop: Workshop) -> Workshop:
    """An ancestor whose newest version no descendant allows, and setuptools, which pip hides."""
    for version in ("1", "2"):
        index.add("lib", version)
    index.add("setuptools", "80")
    index.add("left", "1", "lib<2", "setuptools")
    return workshop.stage("base", "lib").stage("app", "left", extends="base")


def test_both_resolvers_lock_the_same_and_nothing_of_the_machine(
    family: Workshop, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv_project = replace(by_pip(family), resolver="uv")
    lock_project(uv_project, LockOptions())
    by_uv = family.files()
    stray = type(index)(folder=tmp_path / "stray")
    stray.add("lib", "1.9")
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(f"[global]\nextra-index-url = {stray.url}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", stray.url)
    lock_project(by_pip(family), LockOptions(upgrade=True))
    assert family.pins("app.cpu") == {"left": "1", "lib": "1", "setuptools": "80"}
    for name in ("base.cpu.txt", "app.cpu.txt"):
        _, resolver, _, *body = family.files()[name].splitlines()
        assert resolver.startswith(b"# resolver: pip-tools 7.")
        assert body == by_uv[name].splitlines()[3:]
    assert check_project(uv_project, LockOptions(offline=True)) == ()
    assert lock_project(by_pip(family), LockOptions()).changed == ()


def test_conflict_is_told_as_uv_tells_it(family: Workshop) -> None:
    family.stage("app", "left", "lib>=2", extends="base")
    with pytest.raises(JudgedError) as caught:
        lock_project(by_pip(family), LockOptions())
    assert "left" in caught.value.message
    assert "stage 'app' requires lib>=2" in caught.value.message
    with pytest.raises(SurroundingsError, match="the network may not be used"):
        lock_project(by_pip(family), LockOptions(offline=True))


def test_what_pip_cannot_lock_is_refused_by_its_keys(family: Workshop) -> None:
    project = by_pip(family)
    project = replace(project, python="3.9", exclude_newer="2026-01-01")
    foreign = Platform(arch="arm64" if HERE == "amd64" else "amd64")
    cpu = replace(
        project.variants["cpu"],
        platforms=(*project.variants["cpu"].platforms, foreign),
        torch_backend="cpu",
    )
    with pytest.raises(ConfigError) as caught:
        lock_project(replace(project, variants={"cpu": cpu}), LockOptions())
    assert [key for key, _ in caught.value.problems] == [
        "project.python",
        "project.exclude-newer",
        "variants.cpu.platforms",
        "variants.cpu.torch-backend",
    ]


def test_the_user_says_how_long_an_answer_may_take(
    family: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENVSMITH_TOOL_TIMEOUT", "0.05")
    with pytest.raises(SurroundingsError) as caught:
        lock_project(by_pip(family), LockOptions())
    # uv, which is asked beside it, may be the first that takes too long on a busy machine.
    assert caught.value.lines() in (
        ["resolver-timeout: pip-tools: no answer within 0.05 s; run again, or with --resolver uv"],
        ["resolver-timeout: uv: no answer within 0.05 s; run again"],
    )
