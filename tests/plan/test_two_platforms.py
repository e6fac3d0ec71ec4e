from __future__ import annotations

import json

import pytest

from values import AMD64, ARM64, for_two, locks, plan, project
from venvsmith.model.project import Installer, Platform


def test_each_platform_installs_its_own_lock_once() -> None:
    of = for_two(project())
    (venv,) = plan(of).venvs
    for platform in (AMD64, ARM64):
        installed = [
            pin for layer in venv.layers if layer.platform == platform for pin in layer.pins
        ]
        lock = next(
            lock
            for key, lock in locks(of).items()
            if (key.stage, key.platform) == ("asr", platform)
        )
        assert sorted(installed) == sorted(lock.pins)
        assert json.loads(venv.manifests[platform])["pins"].keys() == {p.name for p in lock.pins}


def test_a_layer_is_installed_for_its_platform_whatever_builds_it() -> None:
    told = {
        stage.name: line
        for stage in plan(for_two(project())).stages
        for step in stage.steps
        if step.kind == "install"
        for line in step.run
        if "uv pip install" in line
    }
    assert len(told) == 7
    for name, line in told.items():
        machine = "aarch64" if "arm64" in name else "x86_64"
        assert f" --python-platform {machine}-manylinux_2_28 " in line


@pytest.mark.parametrize(
    ("installer", "native"), [("uv", {"interpreter", "runtime-python"}), ("pip", set())]
)
def test_what_uv_builds_with_is_of_the_builders_platform(
    installer: Installer, native: set[str]
) -> None:
    stages = plan(for_two(project(installer=installer))).stages
    assert {stage.name for stage in stages if stage.native} == native


@pytest.mark.parametrize("platform", [AMD64, ARM64])
def test_the_plan_of_one_platform_needs_nothing_of_another(platform: Platform) -> None:
    whole = plan(for_two(project()))
    one = whole.on(platform)
    seen: set[str] = set()
    for stage in one.stages:
        assert stage.parent_is_image or stage.parent in seen
        assert {copy.stage for copy in stage.copies} <= seen
        seen.add(stage.name)
    other = "arm64" if platform == AMD64 else "amd64"
    assert not any(other in name for name in seen)
    assert one.stages[-1] == whole.stages[-1]
