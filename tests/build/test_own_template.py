"""A user's template, and folders with awkward names, through BuildKit itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from engines import ca_options, change, docker, image_of, venvsmith

pytestmark = [pytest.mark.engine, pytest.mark.network]
EXAMPLE = Path(__file__).parents[2] / "examples" / "template.j2"
AWKWARD = 'it\'s $HOME, ${x} %{if} "a" (b+|)  #c'


def test_the_example_of_a_template_builds_and_stays_in_step(project: Path) -> None:
    shutil.copy(EXAMPLE, project / "company.j2")
    text = "Home: $HOME\n"
    (project / AWKWARD).mkdir()
    (project / AWKWARD / "page").write_text(text)
    quoted = json.dumps(AWKWARD)
    change(
        project, r"\[bases\.", f'template = "company.j2"\noutput = {json.dumps(AWKWARD)}\n[bases.'
    )
    change(
        project,
        r"copy = .*",
        f"copy = [{{ from = {quoted}, to = {json.dumps('/srv/' + AWKWARD)} }}]",
    )
    change(project, r'workdir = "/app"', f"workdir = {json.dumps('/srv/' + AWKWARD)}")
    change(project, r"entrypoint = .*", 'entrypoint = ["cat", "page"]\nlabels = { "a b$c" = "$d" }')
    venvsmith(project, "build", *ca_options())
    venvsmith(project, "render", "--check")

    image = image_of(project)
    settings = json.loads(docker("image", "inspect", "-f", "{{json .Config}}", image))
    assert settings["Labels"]["com.acme.packages"] == "pages"
    assert settings["Labels"]["a b$c"] == "$d"
    assert settings["Healthcheck"]["Test"] == ["CMD", "/venv/bin/python", "-c", "import sys"]
    assert settings["ExposedPorts"] == {"8000/tcp": {}}
    assert settings["WorkingDir"] == f"/srv/{AWKWARD}"
    assert docker("run", "--rm", image) == text
