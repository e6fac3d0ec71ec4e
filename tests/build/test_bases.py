"""Bases of all kinds: where Python is missing, incomplete or elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import bare_base, ca_options, change, derived, docker, image_of, venvsmith

pytestmark = [pytest.mark.engine, pytest.mark.network]


def last_line(told: str) -> str:
    return told.strip().splitlines()[-1]


def small(project: Path, base: str, *, python: str = "3.11", installer: str = "uv") -> None:
    """Cut the family down to one stage and put it on a base."""
    change(project, r'image = "venvsmith-test/bookworm:1"', base)
    change(project, r'python = "3\.11"', f'python = "{python}"\ninstaller = "{installer}"')
    change(project, r'stage = "pages"', 'stage = "markup"')
    change(project, r"requires = \[.markupsafe==3.0.2.\]", 'requires = ["idna==3.10"]')
    change(project, r'imports = \["markupsafe\._speedups"\]', 'imports = ["idna"]')
    venvsmith(project, "lock")


def test_a_base_without_python_is_told_with_the_ways_to_one(project: Path) -> None:
    small(project, f'image = "{bare_base()}"')
    told = last_line(venvsmith(project, "build", *ca_options(), code=1))
    assert "step interpreter:runtime: failed: the runtime base has no Python 3.11: " in told
    assert told.endswith('or set python = "apt" or python = "uv" in [bases]')


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_interpreter_in_an_unusual_place_serves_where_both_bases_have_it(
    project: Path, installer: str
) -> None:
    aside = derived("aside", "RUN cp /usr/bin/python3.11 /opt/ && rm /usr/bin/python3*")
    path = "/opt/python3.11"
    small(project, f'image = "{aside}"\npython-path = "{path}"', installer=installer)
    venvsmith(project, "build", *ca_options())
    look = ("run", "--rm", "--entrypoint", "readlink", image_of(project), "-f")
    assert docker(*look, "/venv/bin/python").strip() == path


def test_a_distribution_without_the_wanted_minor_is_told_with_what_it_has(project: Path) -> None:
    small(project, f'image = "{bare_base()}"\npython = "apt"', python="3.12")
    told = last_line(venvsmith(project, "build", *ca_options(), code=1))
    assert "step apt:runtime: failed: no repository of this base has python3.12 " in told
    assert "(it has python3.11)" in told
