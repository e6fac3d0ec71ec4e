"""Own projects: stages of their own, nothing of the network while building."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from values import ASSETS, locks, pin, project
from venvsmith.dockerfile.ignore import ignores, patterns_of
from venvsmith.errors import ConfigError
from venvsmith.model.plan import Plan
from venvsmith.model.project import Project
from venvsmith.plan import Source, plan_image
from venvsmith.render import render_project

SOURCE = Source(name="speech", version="3", build_pins=(pin("hatchling"),))


def sourced(folder: str = ".") -> Project:
    of = project()
    return replace(of, stages={**of.stages, "asr": replace(of.stages["asr"], source=folder)})


def made(of: Project, source: Source = SOURCE) -> Plan:
    steps = {**ASSETS.steps, "source.py": b"s", "versions.py": b"v"}
    assets = replace(ASSETS, steps=steps, sources={"asr": source})
    return plan_image(of, locks(of), assets, image="asr", variant="cuda")


def test_only_what_is_hashed_is_fetched_and_the_build_itself_is_offline() -> None:
    steps = {step.id: step for step in made(sourced()).steps}
    assert steps["backend:asr"].network
    assert not steps["source:asr"].network
    assert not steps["wheel:asr"].network
    assert not steps["install:own-venv-asr"].network
    assert any("--require-hashes" in line for line in steps["backend:asr"].run)
    # What fetches does not see the code, so that a change of it fetches nothing.
    assert not any(mount.exclude for mount in steps["backend:asr"].mounts)


def test_its_layer_is_the_last_of_the_venv() -> None:
    stages = made(sourced()).stages
    assembled = next(stage for stage in stages if stage.name == "assembled")
    names = [copy.stage for copy in assembled.copies]
    assert names.index("own-venv-asr") == max(i for i, n in enumerate(names) if n != "files")


def test_its_version_is_promised_where_it_is_known_and_asked_of_the_build_otherwise() -> None:
    def pins(source: Source) -> dict[str, str | None]:
        (venv,) = made(sourced(), source).venvs
        (text,) = venv.manifests.values()
        found: dict[str, str | None] = json.loads(text)["pins"]
        return found

    assert pins(SOURCE)["speech"] == "3"
    unknown = replace(SOURCE, version=None)
    assert pins(unknown)["speech"] is None
    gate = next(step for step in made(sourced(), unknown).steps if step.id == "gate")
    assert any("versions.py" in line for line in gate.run)


def test_a_name_that_the_lock_has_too_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        made(sourced(), replace(SOURCE, name="triton"))
    assert [key for key, _ in caught.value.problems] == ["stages.asr.source"]


@pytest.mark.parametrize(
    ("folder", "path", "taken"),
    [
        (".", "pyproject.toml", True),
        (".", "src/speech/build/x.py", True),
        (".", "src/speech/x.py", True),
        (".", "src/speech/__pycache__/x.pyc", False),
        (".", ".git/config", False),
        (".", "build/lib/x.py", False),
        (".", "src/speech.egg-info/PKG-INFO", False),
        (".", ".env", False),
        (".", "locks/asr.cuda.txt", False),
        (".", "docker/Dockerfile.asr.cuda", False),
        (".", "docker/deltas/asr.cuda.txt", True),
        (".", "config/settings.toml", True),
        ("service", "service/pyproject.toml", True),
        ("service", "service/.venv/pyvenv.cfg", False),
        ("service", "pyproject.toml", False),
        ("service", "config/settings.toml", True),
    ],
)
def test_the_context_is_the_folder_without_what_never_belongs(
    folder: str,
    path: str,
    taken: bool,  # noqa: FBT001
) -> None:
    of = sourced(folder)
    files = render_project(of, [made(of)], pins={})
    patterns = patterns_of(files["docker/Dockerfile.asr.cuda.dockerignore"].decode())
    assert ignores(patterns, path) is not taken
