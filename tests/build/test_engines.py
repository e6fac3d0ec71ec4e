"""Both engines, for real: the small family through BuildKit and on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines import (
    CA,
    bare_base,
    ca_options,
    change,
    derived,
    docker,
    image_of,
    layers,
    tree_of_folder,
    tree_of_image,
    venvsmith,
)
from venvsmith.collect import CollectRequest, collect
from venvsmith.target import open_target

pytestmark = [pytest.mark.engine, pytest.mark.network]


def test_both_engines_leave_the_same_bytes_and_a_rebuild_the_same_layers(project: Path) -> None:
    image = image_of(project)
    venvsmith(project, "build", *ca_options())
    first = layers(image)
    greeting = docker("run", "--rm", image).strip()
    assert greeting == '1001 /app a $b "c" d\\'

    venvsmith(project, "build", "--engine", "local", *ca_options())
    built = project / ".venvsmith" / "local" / image.replace(":", ".")
    manifest = json.loads((built / "manifest.json").read_text())
    assert manifest["host"]["python"] == "/usr/bin/python3.11"
    assert tree_of_folder(built / "root" / "venv") == tree_of_image(image, "/venv")
    assert tree_of_folder(built / "root" / "app") == tree_of_image(image, "/app")

    # And as layers, all that depends on no base: the packages, the project's files, the manifest.
    named = {name: digest for name, digest in manifest["layers"].items() if name != "venv"}
    assert len(named) == 4
    assert set(named.values()) < set(first)

    # Both are, file by file, what the build recorded.
    record = json.loads((project / "locks" / "trees.json").read_text())["stages"]
    recorded = {n: x["tree"] for stage in record.values() for n, x in stage["layers"].items()}
    assert recorded
    for target in (f"docker:{image}", f"rootfs:{built / 'root'}"):
        with open_target(target) as opened:
            (env,) = collect(opened, CollectRequest(static=True)).environments
        assert env.built is not None
        assert (env.built.problem, env.built.difference_count) == ("", 0)
        assert {n: env.built.layers[n] for n in recorded} == recorded

    # Neither engine knows a step that the other does not.
    dockerfile = (project / "docker" / f"Dockerfile.{image.replace(':', '.')}").read_text()
    rendered = set(re.findall(r"^# step (\S+): ", dockerfile, re.MULTILINE))
    left_out = {entry["step"] for entry in manifest["not_carried_out"]}
    assert set(manifest["steps"]) | left_out == rendered
    assert left_out == {"stamp", "user", "capture"}

    # From nothing, with other times on the project's own files: the same layers.
    os.utime(project / "templates" / "page.html", (1, 1))
    (project / "templates" / "page.html").chmod(0o600)
    venvsmith(project, "build", "--no-cache", "--no-verify", *ca_options())
    assert layers(image) == first

    # A bump in the leaf stage changes its layer and the manifest's, and no other.
    change(project, r"pygments==2\.19\.2", "pygments==2.19.1")
    venvsmith(project, "lock")
    venvsmith(project, "build", "--no-verify", *ca_options())
    after = layers(image)
    assert len(after) == len(first)
    assert sum(a != b for a, b in zip(first, after, strict=True)) == 2


def test_the_image_that_was_built_is_judged_and_recorded_whatever_its_tag_stands_for(
    project: Path, tmp_path: Path
) -> None:
    image = image_of(project)
    another = tmp_path / "bin" / "docker"
    another.parent.mkdir()
    another.write_text(
        f'#!/bin/sh\n{shutil.which("docker")} "$@" || exit\n'
        f'[ "$2" != bake ] || {shutil.which("docker")} tag venvsmith-test/bookworm:1 {image}\n'
    )
    another.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "venvsmith", "build", *ca_options()],
        env={**os.environ, "PATH": f"{another.parent}:{os.environ['PATH']}"},
        cwd=project, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{image} ")
    assert f"warning: {image} stands for another image by now: " in done.stderr
    sbom = json.loads((project / "docker/sbom" / f"{image.replace(':', '.')}.cdx.json").read_text())
    assert "pygments" in {component["name"].lower() for component in sbom["components"]}
    assert "pages.cpu" in json.loads((project / "locks" / "trees.json").read_text())["stages"]
    docker("image", "rm", "-f", sbom["metadata"]["component"]["version"])


def test_the_ca_bundle_stays_in_no_layer_and_no_history(project: Path, tmp_path: Path) -> None:
    canary = "venvsmith-canary-5f1c"
    bundle = tmp_path / "ca.crt"
    bundle.write_text(f"# {canary}\n{CA.read_text() if CA.exists() else ''}")
    venvsmith(project, "build", "--no-verify", "--ca-bundle", str(bundle))
    archive = tmp_path / "image.tar"
    docker("save", "-o", str(archive), image_of(project))
    assert canary.encode() not in archive.read_bytes()
    rest = [p for p in project.rglob("*") if p.is_file() and canary.encode() in p.read_bytes()]
    assert rest == []


def test_pip_installs_where_the_base_has_no_ensurepip(project: Path) -> None:
    change(project, r'python = "3\.11"', 'python = "3.11"\ninstaller = "pip"')
    change(project, r"venvsmith-test/bookworm:1", "venvsmith-test/bookworm-noensurepip:1")
    venvsmith(project, "lock")
    assert not (project / "locks" / "tools.txt").exists()
    venvsmith(project, "build", *ca_options())
    names = docker("run", "--rm", "--entrypoint", "ls", image_of(project), "/venv/bin").split()
    assert "pip" not in names
    assert "pygmentize" in names


def test_an_apt_python_is_installed_in_both_bases(project: Path) -> None:
    base = bare_base()
    change(project, r'image = "venvsmith-test/bookworm:1"', f'image = "{base}"\npython = "apt"')
    venvsmith(project, "build", *ca_options())


@pytest.mark.parametrize(
    ("pattern", "replacement", "sentence"),
    [
        pytest.param(
            r'"jinja2", "pygments"\]',
            '"jinja2", "no_such_module"]',
            "step rehearse: failed: import no_such_module fails: ModuleNotFoundError: ",
            id="an import that fails",
        ),
        pytest.param(
            r'"pygmentize", "-V"',
            '"pygmentize", "--no-such-option"',
            "step rehearse: failed: pygmentize --no-such-option exits 2",
            id="a command that fails",
        ),
        pytest.param(
            r'image = "venvsmith-test/bookworm:1"',
            'build = "venvsmith-test/bookworm:1"\nruntime = "venvsmith-test/trixie:1"',
            "step interpreter:runtime: failed: the runtime base has no Python 3.11",
            id="another minor in the runtime base",
        ),
        pytest.param(
            r'image = "venvsmith-test/bookworm:1"',
            'image = "venvsmith-test/bookworm:1"\npython-path = "/usr/local/bin/python3.11"',
            "failed: the runtime base has no Python 3.11 at /usr/local/bin/python3.11",
            id="an interpreter that is not where it is said to be",
        ),
    ],
)
def test_a_build_that_cannot_work_stops_with_its_reason(
    project: Path, pattern: str, replacement: str, sentence: str
) -> None:
    change(project, pattern, replacement)
    venvsmith(project, "lock")
    told = venvsmith(project, "build", *ca_options(), code=1).strip().splitlines()[-1]
    assert sentence in told


def test_an_interpreter_elsewhere_in_the_runtime_base_stops_the_build(project: Path) -> None:
    base = derived(
        "elsewhere", "RUN cp /usr/bin/python3.11 /usr/local/bin/ && rm /usr/bin/python3*"
    )
    change(
        project,
        r'image = "venvsmith-test/bookworm:1"',
        f'build = "venvsmith-test/bookworm:1"\nruntime = "{base}"',
    )
    told = venvsmith(project, "build", *ca_options(), code=1).strip().splitlines()[-1]
    assert (
        "Python 3.11 lies at /usr/bin/python3.11 in the build base but at"
        " /usr/local/bin/python3.11 in the runtime base"
    ) in told


def test_a_base_that_holds_something_at_the_venvs_path_is_refused(project: Path) -> None:
    base = derived("occupied", "RUN mkdir -p /venv/bin")
    change(project, r"venvsmith-test/bookworm:1", base)
    told = venvsmith(project, "build", *ca_options(), code=1).strip().splitlines()[-1]
    assert "the runtime base already holds something at /venv" in told


def test_without_an_engine_the_reason_and_the_way_out_are_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    told = venvsmith(project, "build", code=4).strip().splitlines()[-1]
    assert told.startswith("venvsmith: no-engine: docker: ")
    assert told.endswith("name another engine with DOCKER_HOST, or build with --engine local")
