"""`source`: what the user's own project needs to run and to be built is locked, its code is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import ConfigError
from venvsmith.resolve import LockOptions, check_project

if TYPE_CHECKING:
    from pathlib import Path

    from resolve.workshop import LocalIndex, Workshop

BUILD = '[build-system]\nrequires = ["backend>=1"]\nbuild-backend = "backend"\n'


def own(workshop: Workshop, stage: str, folder: str, text: str) -> Path:
    path = workshop.root / folder
    path.mkdir(parents=True, exist_ok=True)
    (path / "pyproject.toml").write_text(text)
    workshop.stages[stage] = replace(workshop.stages[stage], source=folder)
    return path


def table(name: str, *dependencies: str, version: str = 'version = "1"') -> str:
    return f'[project]\nname = "{name}"\n{version}\ndependencies = {list(dependencies)}\n'


def drift(workshop: Workshop) -> dict[str, str]:
    return {d.file: d.reason for d in check_project(workshop.project(), LockOptions())}


def test_what_builds_it_is_locked_apart_and_changes_of_code_are_no_drift(
    index: LocalIndex, workshop: Workshop
) -> None:
    for name in ("lib", "other"):
        index.add(name, "1")
    index.add("backend", "2", "backend-core")
    index.add("backend-core", "1")
    workshop.stage("app")
    folder = own(workshop, "app", "service", table("service", "lib") + BUILD)
    workshop.lock()
    assert workshop.pins("app.cpu") == {"lib": "1"}
    assert workshop.pins("app.source.build") == {"backend": "2", "backend-core": "1"}

    (folder / "service.py").write_text("code = 2\n")
    assert drift(workshop) == {}
    (folder / "pyproject.toml").write_text(table("service", "lib", "other") + BUILD)
    assert drift(workshop) == {"app.cpu.txt": "stage 'app' asks for other, which is not in it"}
    (folder / "pyproject.toml").write_text(table("service", "lib") + BUILD.replace(">=1", ">=3"))
    assert list(drift(workshop)) == ["app.source.build.txt"]

    workshop.stages["app"] = replace(workshop.stages["app"], source=None, requires=("lib",))
    assert drift(workshop)["app.source.build.txt"] == "the configuration does not ask for it"
    workshop.lock()
    assert "app.source.build.txt" not in workshop.files()


def test_own_projects_of_a_chain_are_no_requirements_of_each_other(
    index: LocalIndex, workshop: Workshop
) -> None:
    index.add("backend", "1")
    index.add("lib", "1")
    workshop.stage("core").stage("app", extends="core")
    own(workshop, "core", "core", table("Acme.Core") + BUILD)
    own(workshop, "app", "app", table("acme-app", "acme_core>=1", "lib") + BUILD)
    workshop.lock()
    assert workshop.pins("core.cpu") == {}
    assert workshop.pins("app.cpu") == {"lib": "1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "there is no pyproject.toml in it", id="no pyproject"),
        pytest.param("[tool.x]\n", "there is no name in [project]", id="no project table"),
        pytest.param(
            '[project]\nname = "s"\nversion = "1"\ndynamic = ["dependencies"]\n',
            "nobody knows them before a build; list them in [project] dependencies",
            id="dynamic dependencies",
        ),
        pytest.param(
            table("s") + 'requires-python = ">=3.12"\n',
            "it requires Python >=3.12, and project.python is 3.11",
            id="another Python",
        ),
        pytest.param(table("s", "a @ file:///x"), "'a' comes from an address", id="an address"),
    ],
)
def test_a_project_that_cannot_be_locked_is_told_by_its_key(
    workshop: Workshop, text: str | None, said: str
) -> None:
    workshop.stage("app")
    folder = own(workshop, "app", "service", text or "")
    if text is None:
        (folder / "pyproject.toml").unlink()
    with pytest.raises(ConfigError) as caught:
        workshop.lock()
    ((key, message),) = caught.value.problems
    assert key == "stages.app.source"
    assert said in message
