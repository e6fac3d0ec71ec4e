"""Each name from its own index and from nowhere else; what a step may read of this machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from values import locks, pin, plan, project
from venvsmith.errors import ConfigError
from venvsmith.model.plan import Step
from venvsmith.model.project import Index, Installer, Project
from venvsmith.plan.install import Installer as Lines
from venvsmith.plan.install import pin_files
from venvsmith.render import render_project, secret_specs

VENDOR = Index(name="vendor", url="https://wheels.example.com/simple", packages=("nvidia-*",))
USER, PASSWORD = VENDOR.variables


def routed(index: Index = VENDOR, installer: Installer = "uv") -> Project:
    return project(indexes={index.name: index}, installer=installer, layers="stage")


def install(of: Project, stage: str = "layer-torch-cuda") -> Step:
    return next(step for step in plan(of).steps if step.id == f"install:{stage}")


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_pins_are_cut_by_index_and_each_install_asks_one_place(installer: Installer) -> None:
    of = routed(installer=installer)
    files = plan(of).files
    assert b"nvidia" not in files["docker/deltas/torch.cuda.txt"]
    names = [line for line in files["docker/deltas/torch.cuda@vendor.txt"].split() if b"==" in line]
    assert names == [b"nvidia-cudnn-cu12==1.0"]

    variable = "UV_DEFAULT_INDEX" if installer == "uv" else "PIP_INDEX_URL"
    lines = [line for line in install(of).run if "--requirement" in line]
    default, vendor = lines
    assert "/in/torch.cuda.txt" in default
    assert "/in/torch.cuda@vendor.txt" in vendor
    assert f'{variable}="$index" ' in vendor
    assert not any("index-url" in line or VENDOR.url in line for line in lines)


def test_find_links_are_no_place_for_names_with_an_index() -> None:
    of = routed()
    of = replace(of, variants={"cuda": replace(of.variants["cuda"], find_links=("wheels",))})
    default, vendor = (line for line in install(of).run if "--requirement" in line)
    assert "--find-links" in default
    assert "--find-links" not in vendor


def test_wheels_beside_the_locks_are_mounted_one_by_one_and_no_index_is_asked() -> None:
    of = routed()
    installer = Lines(
        project=of,
        variant=of.variants["cuda"],
        work="/venvsmith",
        secrets="/run/secrets",
        interpreter="python3",
    )
    own, other = pin("vendor-own"), pin("numpy")
    kept = {own.hashes[0]: "locks/wheels/vendor_own-1.0-py3-none-any.whl"}
    files = pin_files(of, "asr.cuda", (own, other), kept)
    assert [(file.path, file.pins, file.index) for file in files] == [
        ("docker/deltas/asr.cuda.txt", (other,), None),
        ("docker/deltas/asr.cuda@WHEELS.txt", (own,), None),
    ]
    install = installer.pins("/venv", files)
    default, wheels = [line for line in install.run if "--require-hashes" in line]
    assert "--no-index" not in default
    assert "--no-index --find-links /venvsmith/in/wheels" in wheels
    assert "locks/wheels/vendor_own-1.0-py3-none-any.whl" in [m.source for m in install.mounts]


def test_a_password_is_a_secret_of_the_steps_that_need_it_and_stands_nowhere() -> None:
    of = routed()
    made = plan(of)
    assert {USER, PASSWORD} <= set(install(of).secrets)
    assert not {USER, PASSWORD} & set(install(of, "layer-asr-cuda").secrets)
    assert secret_specs(made) == [f"type=env,id={name},env={name}" for name in (USER, PASSWORD)]
    for path, data in render_project(of, [made], pins={}).items():
        text = data.decode()
        assert "ARG" not in text
        if PASSWORD in text:  # as a mount, as a file to read, as a name in the bake file
            assert path in {"docker/Dockerfile.asr.cuda", "docker/docker-bake.json"}
            assert f"ENV {PASSWORD}" not in text


def test_an_index_in_a_folder_of_the_project_is_mounted() -> None:
    step = install(routed(replace(VENDOR, url="file:///project/wheels/simple")))
    mount = next(mount for mount in step.mounts if mount.source == "wheels/simple")
    assert any(f"file://{mount.target} " in line for line in step.run)


@pytest.mark.parametrize("url", ["file:///elsewhere/simple", "file:///project/a,b"])
def test_an_index_that_a_build_cannot_see_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(routed(replace(VENDOR, url=url)))
    assert [key for key, _ in caught.value.problems] == ["indexes.vendor.url"]


def test_locks_are_untouched_by_the_cut() -> None:
    of = routed()
    (venv,) = plan(of).venvs
    lock = next(lock for key, lock in locks(of).items() if key.stage == "asr")
    assert sorted(pin for layer in venv.layers for pin in layer.pins) == sorted(lock.pins)
