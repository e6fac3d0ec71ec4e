"""The folder that `render` writes to is the user's too, and may be another one for a run."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engines import FAMILY, venvsmith
from venvsmith.build.plans import in_folder, make_plans, rendered
from venvsmith.config import load
from venvsmith.errors import UsageError
from venvsmith.files import write_files
from venvsmith.model.project import Project

PINS = f"idna==3.10 \\\n    --hash=sha256:{'0' * 64}\n"


@pytest.fixture
def family(tmp_path: Path) -> Project:
    folder = tmp_path / "small"
    shutil.copytree(FAMILY, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    return load(folder / "venvsmith.toml")


def render(project: Project) -> None:
    write_files(rendered(project, make_plans(project)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("manifests/k8s.yaml", "kind: Deployment\n", id="of another kind"),
        pytest.param("manifests/app.json", '{"schema": "acme/1"}\n', id="another schema"),
        pytest.param("manifests/list.json", "[1]\n", id="no object"),
        pytest.param("steps/deploy.sh", "#!/bin/sh\n", id="another script"),
        pytest.param("steps/source.py", "print('mine')\n", id="a script of one of our names"),
        pytest.param("deltas/pages.cpu.old.txt", f"# mine\n{PINS}", id="pins with a comment"),
        pytest.param("deltas/notes.txt", PINS, id="pins under a name that no stage has"),
        pytest.param("Dockerfile.mine", "FROM scratch\n", id="a Dockerfile"),
    ],
)
def test_a_file_of_the_users_own_stays_and_is_no_drift(
    family: Project, path: str, text: str
) -> None:
    mine = family.root / "docker" / path
    mine.parent.mkdir(parents=True)
    mine.write_text(text)
    assert mine not in rendered(family, make_plans(family))


def test_what_an_earlier_render_wrote_goes_with_what_it_was_for(family: Project) -> None:
    pages = family.images["pages"]
    render(replace(family, images={**family.images, "more": replace(pages, name="more")}))
    docker = family.root / "docker"
    before = {path for path in docker.rglob("*") if path.is_file()}
    (manifest,) = docker.glob("manifests/*.json")
    shutil.copy(manifest, manifest.with_name("gone.cpu.json"))
    for name in ("gone.cpu.txt", "gone.cpu.nvidia@internal.txt", "gone.source.build@WHEELS.txt"):
        (docker / "deltas" / name).write_text(PINS)
    render(family)
    after = {path for path in docker.rglob("*") if path.is_file()}
    gone = {docker / "Dockerfile.more.cpu", docker / "Dockerfile.more.cpu.dockerignore"}
    assert after == before - gone


def test_a_bill_of_materials_goes_with_its_image(family: Project) -> None:
    folder = family.root / "docker" / "sbom"
    folder.mkdir(parents=True)
    for name, of in (("pages.cpu", "pages:cpu"), ("gone.cpu", "gone:cpu"), ("mine", "acme/x:1")):
        bom = {"bomFormat": "CycloneDX", "metadata": {"component": {"name": of}}}
        (folder / f"{name}.cdx.json").write_text(json.dumps(bom))
    (folder / "list.cpu.cdx.json").write_text("[]")
    render(family)
    left = {path.name for path in folder.iterdir()}
    assert left == {"pages.cpu.cdx.json", "mine.cdx.json", "list.cpu.cdx.json"}


@pytest.mark.parametrize(
    ("requires", "kept"), [(">=3.8", True), (">=3.12", False), ("no version", False)]
)
def test_the_wheel_of_pip_is_kept_while_it_runs_on_the_projects_python(
    family: Project, requires: str, *, kept: bool
) -> None:
    render(family)
    wheel = family.root / "docker" / "steps" / "pip.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pip-1.dist-info/METADATA", f"Name: pip\nRequires-Python: {requires}\n")
    own = wheel.read_bytes()
    render(family)
    assert (wheel.read_bytes() == own) is kept


def test_with_pip_the_lock_of_uv_goes(family: Project) -> None:
    render(family)
    assert (family.root / "docker" / "steps" / "uv.txt").exists()
    (family.root / "locks" / "tools.txt").unlink()
    render(replace(family, installer="pip"))
    assert not (family.root / "docker" / "steps" / "uv.txt").exists()


def test_another_folder_holds_all_that_its_files_name(family: Project) -> None:
    venvsmith(family.root, "render", "--output", str(family.root / "ci" / "images"))
    assert not (family.root / "docker").exists()
    made = family.root / "ci" / "images"
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in made.rglob("*")
             if path.is_file() and path.suffix != ".whl"}  # fmt: skip
    dockerfile = texts[made / "Dockerfile.pages.cpu"]
    sources = re.findall(r"source=([^,]+),", dockerfile)
    assert sources
    assert all((family.root / source).exists() for source in sources)
    allowed = texts[made / "Dockerfile.pages.cpu.dockerignore"].splitlines()
    assert set(sources) <= {line[1:] for line in allowed if line.startswith("!")}
    bake = json.loads(texts[made / "docker-bake.json"])
    assert (family.root / bake["target"]["pages_cpu"]["dockerfile"]).exists()
    assert not [path for path, text in texts.items() if "docker/" in text.replace("ci/images", "")]
    venvsmith(family.root, "render", "--check", "--output", str(made))
    told = venvsmith(family.root, "render", "--check", "--stdout", code=2)
    assert told.startswith("venvsmith: usage: render: --check judges what is written")


def test_another_folder_gets_the_layers_of_the_projects_own(family: Project) -> None:
    render(family)
    sizes = family.root / "locks" / "sizes.json"
    sizes.write_text(sizes.read_text().replace("134899", "900000000"))
    elsewhere = in_folder(family, family.root / "elsewhere")
    for project in (family, elsewhere):
        (plan,) = make_plans(project, keep=family.output)
        assert [layer.name for layer in plan.venvs[0].layers] == ["markup.cpu", "pages.cpu"]
    (anew,) = make_plans(elsewhere)
    assert "pages.cpu.jinja2" in [layer.name for layer in anew.venvs[0].layers]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        pytest.param(
            "..", r"'.*' lies outside /\S+/small; no build reads from there", id="outside"
        ),
        pytest.param(".", "expected a folder of its own, got the configuration's", id="the root"),
        pytest.param("locks", "'.*locks' is the folder of the locks", id="the locks"),
        pytest.param("a*", '"a\\*" holds "\\*", which Docker takes', id="a pattern"),
    ],
)
def test_a_folder_that_no_build_could_read_is_refused(
    family: Project, folder: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        in_folder(family, family.root / folder)
