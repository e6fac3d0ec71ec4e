from __future__ import annotations

import json
from dataclasses import replace

import pytest

from values import AMD64, locks, plan, project
from venvsmith.errors import ConfigError
from venvsmith.model.project import Base, LayerCut


@pytest.mark.parametrize("cut", ["stage", "balanced"])
def test_the_layers_of_a_venv_hold_its_lock_exactly_once(cut: LayerCut) -> None:
    of = project(layers=cut)
    (venv,) = plan(of).venvs
    installed = [pin for layer in venv.layers for pin in layer.pins]
    lock = next(lock for key, lock in locks(of).items() if key.stage == "asr")
    assert sorted(installed) == sorted(lock.pins)


def test_balanced_layers_keep_cuda_and_torch_apart_from_what_changes_often() -> None:
    (venv,) = plan().venvs
    assert {layer.name: [pin.name for pin in layer.pins] for layer in venv.layers} == {
        "torch.cuda.nvidia": ["nvidia-cudnn-cu12"],
        "torch.cuda.torch": ["torch", "triton"],
        "torch.cuda": ["numpy"],
        "asr.cuda": ["ctranslate2", "whisperx"],
    }


def test_every_stage_follows_what_it_builds_on_and_copies_from() -> None:
    seen: set[str] = set()
    for stage in plan().stages:
        assert stage.parent_is_image or stage.parent in seen
        assert {copy.stage for copy in stage.copies} <= seen
        seen.add(stage.name)
    assert plan().stages[-1].name == "final"


@pytest.mark.parametrize(
    ("base", "waits"),
    [
        (Base(name="slim", build="b", runtime="r", apt=("curl",)), False),
        (Base(name="slim", build="b", runtime="r", apt=("python3-minimal",)), True),
        (Base(name="slim", build="b", runtime="r", python="apt"), True),
        (Base(name="slim", build="b", runtime="r", python="uv"), False),
    ],
)
def test_installing_waits_for_system_packages_only_where_they_bring_python(
    base: Base, *, waits: bool
) -> None:
    stages = {s.name: s for s in plan(replace(project(), bases={"slim": base})).stages}
    todo, needs = ["layer-asr-cuda"], set()
    while todo:
        stage = stages[todo.pop()]
        needs.add(stage.name)
        todo += [copy.stage for copy in stage.copies]
        todo += [] if stage.parent_is_image else [stage.parent]
    assert ("system" in needs) is waits


def test_an_index_has_time_to_answer_unless_the_base_says_otherwise() -> None:
    lines = [line for step in plan().steps if step.network for line in step.run]
    assert any('UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}"' in line for line in lines)


def test_nothing_but_the_named_files_is_read_from_the_project() -> None:
    made = plan()
    own = set(made.context) - set(made.files)
    assert own == {"config"}


def test_only_what_installs_may_use_the_network() -> None:
    networked = {step.kind for step in plan().steps if step.network}
    assert networked == {"apt", "tools", "install"}


def test_the_manifest_promises_what_all_ancestors_promise() -> None:
    manifest = json.loads(plan().venvs[0].manifests[AMD64])
    assert manifest["imports"] == ["torch", "whisperx.asr"]
    assert manifest["commands"] == [["whisperx", "--help"]]
    assert manifest["pins"]["torch"] == "1.0"


def test_without_uv_no_step_names_it() -> None:
    made = plan(project(installer="pip"))
    assert not any("uv" in line for step in made.steps for line in step.run)
    assert any("/venv/bin/python -m pip install" in line for s in made.steps for line in s.run)


def test_a_build_without_the_final_path_writes_below_its_folder_only() -> None:
    made = plan(work="/out/work", prefix="/out/root")
    told = [line for step in made.steps for line in step.run]
    assert not any(" /venv" in line or " /venvsmith" in line for line in told)
    files = next(stage for stage in made.stages if stage.name == "files")
    assert files.context[0].target == "/out/work/files/out/root/app/config"


def test_several_venvs_get_stages_of_their_own() -> None:
    made = plan(project(image={"venvs": {"/venvs/a": "asr", "/venvs/b": "torch"}}))
    names = [stage.name for stage in made.stages]
    assert len(names) == len(set(names))
    assert made.settings.path == ("/venvs/a/bin", "/venvs/b/bin")
    assert "VIRTUAL_ENV" not in made.settings.env


def test_a_backend_that_pip_cannot_ask_is_refused_by_its_key_with_what_to_do() -> None:
    of = project(installer="pip")
    variant = replace(of.variants["cuda"], torch_backend="cu128")
    with pytest.raises(ConfigError) as caught:
        plan(replace(of, variants={"cuda": variant}))
    (problem,) = caught.value.problems
    assert problem[0] == "variants.cuda.torch-backend"
    assert 'set project.installer = "uv", or route torch' in problem[1]
