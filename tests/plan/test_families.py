"""Images on images: what the one above adds, and what it takes from the one below."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from values import plan, project
from venvsmith.model.plan import Plan
from venvsmith.model.project import Base, Image, Project
from venvsmith.render import render_project
from venvsmith.render.dockerfile import emit_dockerfile


def family(*, below: dict[str, Any] | None = None, **changes: Any) -> Project:
    """An image of stage asr upon one of stage torch."""
    above = {
        "parents": {"cuda": "ml"},
        "workdir": None,
        "user": None,
        "copy": (),
        "writable": (),
        **changes,
    }
    of = project(image=above)
    base = Image(name="ml", venvs={"/venv": "torch"}, variants=("cuda",))
    return replace(of, images={"ml": replace(base, **(below or {})), **of.images})


def copied(made: Plan) -> list[str]:
    return [c.stage for stage in made.stages if stage.name == "assembled" for c in stage.copies]


def parent_of(made: Plan, name: str) -> str:
    return next(stage.parent for stage in made.stages if stage.name == name)


def test_only_the_layers_that_the_image_below_lacks_are_made() -> None:
    made = plan(family())
    assert parent_of(made, "runtime") == "ml:cuda"
    assert copied(made) == ["layer-asr-cuda"]
    installs = [step.id for step in made.steps if step.kind == "install"]
    assert installs == ["install:layer-asr-cuda"]
    # The venv is held against the whole lock all the same.
    assert {pin.name for layer in made.venvs[0].layers for pin in layer.pins} >= {"torch"}
    assert made.below is not None
    assert made.below.name == plan(family(), image="ml").name


def test_its_layers_are_built_without_waiting_for_the_image_below() -> None:
    made = plan(family())
    stages = {stage.name: stage for stage in made.stages}
    todo, needs = ["layer-asr-cuda"], set()
    while todo:
        stage = stages[todo.pop()]
        needs.add(stage.parent)
        todo += [copy.stage for copy in stage.copies]
        todo += [] if stage.parent_is_image else [stage.parent]
    assert "ml:cuda" not in needs


def test_a_python_that_was_installed_there_is_not_installed_again() -> None:
    bases = {"slim": Base(name="slim", build="debian", runtime="debian", python="apt")}
    made = plan(replace(family(), bases=bases))
    assert parent_of(made, "runtime-python") == "debian"
    assert [step.packages for step in made.steps if step.id == "apt:runtime"] == [("ffmpeg",)]


def test_system_packages_of_the_image_below_are_not_installed_again() -> None:
    bases = {"slim": Base(name="slim", build="b", runtime="r", apt=("curl",))}
    of = replace(family(), bases=bases)
    assert [step.packages for step in plan(of).steps if step.kind == "apt"] == [("ffmpeg",)]
    of = family(below={"venvs": {"/venv": "asr"}})
    assert [step.id for step in plan(of).steps if step.kind == "apt"] == []


@pytest.mark.parametrize(
    ("below", "above", "lines"),
    [
        pytest.param({"user": 1001}, {}, ["USER 0"], id="a user of the image below is taken back"),
        pytest.param({"user": 1001}, {"user": 1002}, ["USER 1002"], id="another user"),
        pytest.param({}, {}, [], id="none"),
    ],
)
def test_the_user_is_set_anew(
    below: dict[str, Any], above: dict[str, Any], lines: list[str]
) -> None:
    made = plan(family(below=below, **above))
    text = emit_dockerfile(made, path="", config="", pins={})
    final = text[text.index(" AS assembled") : text.index(" AS rehearsal")]
    assert [line for line in final.splitlines() if line.startswith("USER")] == lines


def test_how_it_starts_is_its_own_and_the_rest_is_added_to() -> None:
    low = {
        "entrypoint": ("serve",), "cmd": ("all",), "workdir": "/srv",
        "env": {"A": "low", "B": "low"}, "labels": {"team": "speech"},
    }  # fmt: skip
    of = family(below=low, entrypoint=None, env={"B": "up"})
    text = emit_dockerfile(plan(of), path="", config="", pins={})
    assert "ENTRYPOINT []\nCMD []\n" in text
    flat = plan(of, flat=True)
    assert flat.settings.env == {"VIRTUAL_ENV": "/venv", "A": "low", "B": "up"}
    assert flat.settings.workdir == "/srv"
    assert flat.settings.labels["team"] == "speech"
    assert flat.settings.labels["dev.venvsmith.image"] == "asr"


def test_what_the_image_below_has_set_is_not_set_again() -> None:
    text = emit_dockerfile(
        plan(family(below={"workdir": "/srv", "user": 1001}, user=1001)),
        path="",
        config="",
        pins={},
    )
    assert "ENV PATH=" not in text
    assert "WORKDIR" not in text
    assert "user.sh" not in text


def test_an_engine_without_images_carries_out_the_whole() -> None:
    flat = plan(family(), flat=True)
    assert flat.below is None
    assert parent_of(flat, "runtime") == "python:3.11-slim"
    assert copied(flat)[0] == "venv"
    assert {layer.name for layer in flat.venvs[0].layers} == {
        layer.name for layer in plan(family()).venvs[0].layers
    }


def test_the_image_below_is_held_against_its_lock() -> None:
    made = plan(family())
    check = next(step for step in made.steps if step.id == "below:/venv")
    manifest = next(
        mount.source
        for stage in made.stages
        for mount in stage.context
        if mount.target in check.run[0]
    )
    assert json.loads(made.files[manifest])["stage"] == "torch"


def test_one_bake_builds_both_from_the_same_layers() -> None:
    of = family()
    files = render_project(of, [plan(of, image="ml"), plan(of)], pins={})
    targets = json.loads(files["docker/docker-bake.json"])["target"]
    assert targets["asr_cuda"]["contexts"] == {"ml:cuda": "target:ml_cuda"}
    assert "contexts" not in targets["ml_cuda"]
