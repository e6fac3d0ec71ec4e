"""The pyproject of a project of the user's own, before anything of it is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from venvsmith.lock.pyproject import ProblemError, read_own_project, read_toml

NAMED = '[project]\nname = "shop"\nversion = "1"\nrequires-python = "{}"\n'


@pytest.mark.parametrize("wanted", [">=3.11", "==3.11.7", ">=3.11.1,<=3.11.9", "==3.11.*"])
def test_any_patch_release_of_the_configured_minor_will_do(tmp_path: Path, wanted: str) -> None:
    (tmp_path / "pyproject.toml").write_text(NAMED.format(wanted))
    assert read_own_project(tmp_path, python="3.11").name == "shop"
    with pytest.raises(ProblemError, match=r"and project\.python is 3\.10$"):
        read_own_project(tmp_path, python="3.10")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = " + "[" * 20_000, "pyproject.toml is nested too deeply"),
        ("[project", "pyproject.toml is no TOML: "),
        (None, "pyproject.toml does not exist"),
    ],
)
def test_a_pyproject_that_cannot_be_read_is_a_problem_in_words(
    tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "pyproject.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ProblemError) as caught:
        read_toml(path)
    assert str(caught.value).startswith(says)
