"""Every kind of mistake is told, with the path of its key and this message."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from venvsmith.config import load
from venvsmith.errors import ConfigError

HERE = Path(__file__).parent
RIGHT = {
    "project": 'name = "x"\npython = "3.11"',
    "bases.slim": 'image = "python:3.11"',
    "variants.cpu": 'base = "slim"\nplatforms = ["linux/amd64"]',
    "stages.app": 'requires = ["httpx"]',
    "images.app": 'stage = "app"',
}
CASES = tomllib.loads((HERE / "mistakes.toml").read_text("utf-8"))["case"]


def problems(file: Path, text: str) -> list[tuple[str, str]]:
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    return list(caught.value.problems)


def configuration(changes: dict[str, Any]) -> str:
    sections = {**RIGHT, **changes}
    return "".join(f"[{name}]\n{body}\n" for name, body in sections.items() if body)


def test_the_configuration_that_cases_change_is_right(tmp_path: Path) -> None:
    file = tmp_path / "venvsmith.toml"
    file.write_text(configuration({}))
    assert load(file).images["app"].venvs == {"/venv": "app"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_all_mistakes_are_told(case: dict[str, Any], tmp_path: Path) -> None:
    changes = {key: body for key, body in case.items() if key not in {"name", "expect"}}
    told = problems(tmp_path / "venvsmith.toml", configuration(changes))
    assert told == [tuple(pair) for pair in case["expect"]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"a = \n", ("line 1, column 5", "is no TOML: Invalid value"), id="syntax"),
        pytest.param(b"a = [", ("end of document", "is no TOML: Invalid value"), id="cut off"),
        pytest.param(
            b"a = '\xff'", ("byte 5", "is not UTF-8, in which TOML is written"), id="not UTF-8"
        ),
        pytest.param(b"a = " + b"[" * 100_000, ("TOML", "is nested too deeply"), id="depth"),
        pytest.param(
            b"a = " + b"9" * 5000, ("TOML", "holds an integer of thousands of digits"), id="digits"
        ),
    ],
)
def test_what_is_no_toml_is_told(content: bytes, problem: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "venvsmith.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == (problem,)
    assert caught.value.exit_code == 2


def test_keys_nested_thousands_deep_are_refused(tmp_path: Path) -> None:
    deep = ".".join("a" * 2_000)
    text = configuration({"images.app": f'stage = "app"\nlabels.{deep} = 1'})
    told = problems(tmp_path / "venvsmith.toml", text)
    assert told == [("images.app.labels.a", "expected a string, got a table")]


def test_errors_print_as_a_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "venvsmith.toml"
    file.write_text(configuration({"project": "python = 3.11", "stages.app": "extends = []"}))
    with pytest.raises(ConfigError) as caught:
        load(None)
    assert caught.value.lines() == [
        "config: venvsmith.toml: project.python: expected a string, got a number; put it in quotes",
        "config: venvsmith.toml: project.name: missing: the project's name",
        "config: venvsmith.toml: stages.app.extends: expected a string, got a list",
    ]
