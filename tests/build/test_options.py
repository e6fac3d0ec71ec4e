"""What `build` asks of BuildKit, and what it refuses before anything begins."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engines import FAMILY, change, venvsmith
from values import plan, project
from venvsmith.build.docker import DockerOptions, build_docker
from venvsmith.errors import SurroundingsError, UsageError, VenvsmithError
from venvsmith.model.plan import Plan
from venvsmith.model.project import Project

# Notes what it is asked, and fails as BuildKit does, in the image that the other one builds on.
DOCKER = """#!/bin/sh
printf '%s\\n' "$@" > "$NOTES/argv"
for word in "$@"; do case $word in *override.json) cat "$word" > "$NOTES/override" ;; esac; done
cat >&2 <<'END'
#9 [base_cuda layer-torch-cuda 1/1] RUN uv pip install
#9 ERROR: process "/bin/sh -c uv pip install" did not complete successfully: exit code: 1
------
 > [base_cuda layer-torch-cuda 1/1] RUN uv pip install:
#9 0.412 venvsmith: it broke
------
END
exit 1
"""


@dataclass
class Asked:
    """What a stand-in for docker was asked, and what became of it."""

    argv: list[str]
    secrets: dict[str, list[str]]
    error: VenvsmithError
    said: list[str]


@pytest.fixture
def family(tmp_path: Path) -> Project:
    """An image without a tag in a registry, and one with, which builds on it."""
    of = project(root=tmp_path)
    asr = replace(of.images["asr"], parents={"cuda": "base"}, tags=("ghcr.io/acme/asr:1",))
    base = replace(of.images["asr"], name="base", venvs={"/venv": "torch"}, copy=())
    return replace(of, images={"base": base, "asr": asr})


def ask(family: Project, plans: list[Plan], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    ca = folder / "ca.crt"
    ca.write_text("a certificate")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("NOTES", str(folder))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example.com/simple")
    said: list[str] = []
    with pytest.raises(VenvsmithError) as caught:
        build_docker(
            family,
            plans,
            bake_file=folder / "docker-bake.json",
            here="linux/amd64",
            options=DockerOptions(push=True, ca_bundle=ca),
            say=said.append,
        )
    override = json.loads((folder / "override").read_text())
    return Asked(
        argv=(folder / "argv").read_text().splitlines(),
        secrets={name: target["secret"] for name, target in override["target"].items()},
        error=caught.value,
        said=said,
    )


def test_an_image_below_a_pushed_one_gets_this_machines_certificates_and_mirror(
    family: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [plan(family, image=image) for image in ("base", "asr")]
    asked = ask(family, plans, tmp_path, monkeypatch)
    assert asked.argv[-3:] == ["--set", "asr_cuda.tags=ghcr.io/acme/asr:1", "asr_cuda"]
    for target in ("base_cuda", "asr_cuda"):
        assert [spec.split(",")[1] for spec in asked.secrets[target]] == [
            "id=ca",
            "id=default-index",
        ]


def test_what_fails_in_an_image_below_a_pushed_one_is_told_of_that_image(
    family: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [plan(family, image=image) for image in ("base", "asr")]
    asked = ask(family, plans, tmp_path, monkeypatch)
    assert asked.error.where == "base.cuda: step install:layer-torch-cuda"
    assert asked.error.message == "failed: it broke"
    assert "base.cuda is not pushed: none of its tags names a registry" in asked.said


def test_a_push_of_nothing_that_has_a_registry_is_refused(family: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tag names a registry"):
        build_docker(
            family,
            [plan(family, image="base")],
            bake_file=tmp_path / "docker-bake.json",
            here="linux/amd64",
            options=DockerOptions(push=True),
            say=print,
        )


# Makes an image, and knows of all digests only those that $KNOWN names.
MAKER = """#!/bin/sh
case "$1 $2" in
"buildx bake")
    while [ "$1" != --metadata-file ]; do shift; done
    printf '%s' "$METADATA" > "$2" ;;
"image inspect")
    case " $KNOWN " in *" $3 "*) printf '[{"Id": "%s"}]' "$3" ;;
    *) echo "Error: No such image: $3" >&2; exit 1 ;; esac ;;
esac
"""


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param("sha256:1", {"base.cuda": "sha256:1"}, id="the image's digest"),
        pytest.param("sha256:2", {"base.cuda": "sha256:2"}, id="its configuration's digest"),
        pytest.param("", "sha256:2, is gone from the engine", id="neither"),
    ],
)
def test_what_was_made_is_found_in_every_kind_of_store(
    known: str,
    expected: dict[str, str] | str,
    family: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(MAKER)
    program.chmod(0o755)
    told = {"containerimage.digest": "sha256:1", "containerimage.config.digest": "sha256:2"}
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("METADATA", json.dumps({"base_cuda": told}))
    monkeypatch.setenv("KNOWN", known)
    made: dict[str, str] | str
    try:
        made = build_docker(
            family,
            [plan(family, image="base")],
            bake_file=tmp_path / "docker-bake.json",
            here="linux/amd64",
            options=DockerOptions(),
            say=print,
        )
    except SurroundingsError as error:
        made = error.message
    assert made == expected if isinstance(expected, dict) else expected in made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "small"
    shutil.copytree(FAMILY, copy, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    return copy


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--push"], "--push: it is BuildKit's", id="push"),
        pytest.param(["--builder", "x"], "--builder: it is BuildKit's", id="builder"),
        pytest.param(["--no-cache"], "--no-cache: it is BuildKit's", id="no cache"),
        pytest.param(["--check-reproducible"], "--check-reproducible: it is", id="twice"),
    ],
)
def test_the_local_engine_refuses_what_it_does_not_do(
    folder: Path, words: list[str], told: str
) -> None:
    said = venvsmith(folder, "build", "--engine", "local", *words, code=2)
    assert said.startswith(f"venvsmith: usage: {told}")
    assert "--engine local" in said


def test_a_file_to_copy_that_is_not_there_stops_a_build_before_it_begins(folder: Path) -> None:
    change(folder, 'from = "templates"', 'from = "not-there"')
    change(folder, r"\[images\.pages\]", '[images.early]\nstage = "markup"\n\n[images.pages]')
    said = venvsmith(folder, "build", "--engine", "local", code=2)
    assert said.splitlines()[-1] == (
        "venvsmith: config: venvsmith.toml: images.pages.copy[0].from: there is no 'not-there'"
    )
    assert not (folder / ".venvsmith").exists()
    venvsmith(folder, "render")
