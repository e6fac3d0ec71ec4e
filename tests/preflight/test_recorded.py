"""What preflight tells of machines that it does not run on, by what they were recorded to say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from preflight.recorded import Recorded, asked, row, rows
from values import locks, pin
from values import project as family
from venvsmith.lock import emit_lock, emit_tools, lock_path
from venvsmith.lock.bases import bases_path, emit_bases
from venvsmith.lock.sizes import emit_sizes, sizes_path
from venvsmith.lock.store import tools_path
from venvsmith.model.project import BuildSettings, Platform, PreflightSettings, Project
from venvsmith.preflight.schema import SCHEMA_FILE, as_json, json_schema
from venvsmith.preflight.table import plain, table

ROOT = Path(__file__).parents[2]
TAG = "ghcr.io/acme/asr:1-{variant}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two stages for CUDA with locks of torch 2.9 and a gigabyte of wheels."""
    made = family(
        image={"tags": (TAG,)},
        root=tmp_path,
        file=tmp_path / "venvsmith.toml",
        preflight=PreflightSettings(binaries=("ffmpeg",), tokens=("HF_TOKEN",)),
    )
    made = replace(made, variants={"cuda": replace(made.variants["cuda"], torch_backend="cu128")})
    sizes: dict[str, dict[str, int | None]] = {"cuda": {}}
    for key, lock in locks(made).items():
        pins = tuple(replace(p, version="2.9.1") if p.name == "torch" else p for p in lock.pins)
        path = lock_path(made, key)
        path.parent.mkdir(exist_ok=True)
        path.write_text(emit_lock(replace(lock, pins=pins, inputs="sha256:" + "0" * 64)))
        for each in pins:
            sizes["cuda"][each.requirement()] = 900_000_000 if each.name == "torch" else 20_000_000
    sizes_path(made).write_text(emit_sizes(sizes))
    return made


def for_platforms(project: Project, *archs: Any) -> Project:
    platforms = tuple(Platform(arch=arch) for arch in archs)
    return replace(
        project, variants={"cuda": replace(project.variants["cuda"], platforms=platforms)}
    )


def test_a_linux_server_with_a_gpu_has_all_but_a_token(project: Project) -> None:
    found = asked(Recorded("linux"), project)
    assert {r.subject for r in found.checks if r.bad} == {"HF_TOKEN", "locks/"}
    assert row(found, "device", "CUDA 12.8 (cuda)").status == "ok"
    assert row(found, "binary").message == "6.1.1 (/usr/bin/ffmpeg)"
    assert row(found, "registry", "ghcr.io").status == "ok"
    assert "secret-word" not in as_json(found)
    assert "YWRhOnN" not in as_json(found)


def test_a_mac_builds_for_linux_and_its_gpu_is_not_for_containers(project: Project) -> None:
    machine = Recorded("macos", env={"HF_TOKEN": "hf_abcdefghijklmnop"})
    found = asked(machine, for_platforms(project, "amd64", "arm64"))
    assert row(found, "platform", "linux/arm64").message.startswith("its own")
    assert "emulated" in row(found, "platform", "linux/amd64").message
    assert [r.status for r in rows(found, "device")] == ["warning", "ok"]
    assert row(found, "local-engine").status == "ok"
    assert row(found, "registry", "ghcr.io").message.startswith("logged in by docker-credential-d")
    assert row(found, "token").status == "ok"


def test_windows_without_docker_desktop_running(project: Project) -> None:
    found = asked(Recorded("windows"), project)
    engine = row(found, "engine")
    assert (engine.status, engine.mend) == ("missing", "start Docker Desktop")
    assert row(found, "program", "docker").status == "ok"
    assert row(found, "registry").status == "missing"
    assert "docker-credential-desktop.exe" in row(found, "registry").message
    assert row(found, "device").status == "wrong"
    assert "no kernels for it" in row(found, "device").message
    assert {r.status for r in rows(found, "base")} == {"unknown"}


@pytest.mark.parametrize(
    ("changes", "check", "status", "message"),
    [
        pytest.param(
            {"which": {"docker": None}}, "engine", "missing", "no docker command", id="no docker"
        ),
        pytest.param(
            {"runs": {"docker version": {"returncode": 1, "stderr": "permission denied while"}}},
            "engine", "missing", "permission denied", id="not in the group",
        ),
        pytest.param(
            {"runs": {"docker version": {"returncode": -2, "timed_out": True}}},
            "engine", "missing", "no answer in 4 s", id="a daemon that hangs",
        ),
        pytest.param(
            {"runs": {"docker version": {"stdout": {"Server": {
                "Version": "20.10.24", "Os": "linux", "Arch": "amd64"}}}}},
            "engine", "wrong", "COPY --link", id="an old engine",
        ),
        pytest.param(
            {"runs": {"docker version": {"stdout": {"Server": {
                "Version": "28.0.0", "Os": "windows", "Arch": "amd64"}}}}},
            "engine", "wrong", "no Linux images", id="Windows containers",
        ),
        pytest.param(
            {"runs": {"docker buildx inspect": {"stdout":
                "Name: old\nDriver: docker-container\nStatus: running\nBuildkit: v0.9.3\n"}}},
            "builder", "wrong", "COPY --link", id="an old BuildKit",
        ),
        pytest.param(
            {"runs": {"docker buildx inspect": {"stdout":
                "Name: far\nDriver: docker-container\nStatus: inactive\n"}}},
            "builder", "warning", "starts with the first build", id="a builder that sleeps",
        ),
        pytest.param(
            {"runs": {
                "docker buildx inspect": {"stdout": "Name: far\nDriver: kubernetes\n"},
                "docker image inspect --format {{.Id}}": {"stdout": "sha256:1 0\n"},
            }},
            "base", "wrong", "where the builder far does not look", id="a base of this docker only",
        ),
        pytest.param(
            {"free": {"/var/lib/docker": 1_000_000_000}}, "disk", "missing", "1.0 GB free",
            id="too little disk",
        ),
        pytest.param(
            {"free": {"/var/lib/docker": 4_000_000_000}}, "disk", "warning", "4.0 GB free",
            id="little disk",
        ),
        pytest.param(
            {"runs": {"nvidia-smi": {"stdout": "Tesla T4, 470.256.02, 7.5\n"}}},
            "device", "wrong", "needs driver 525", id="an old driver",
        ),
        pytest.param(
            {"runs": {"nvidia-smi": {"returncode": 9, "stdout": "NVIDIA-SMI has failed"}}},
            "device", "missing", "the driver does not answer", id="a driver that is broken",
        ),
        pytest.param(
            {"runs": {"docker run": {"returncode": 1, "stderr":
                "venvsmith: the base base has no Python 3.11 (/usr/bin/python3 is 3.13.5): use"}}},
            "base", "wrong", "has no Python 3.11 (/usr/bin/python3 is 3.13.5)", id="another minor",
        ),
        pytest.param(
            {"env": {"HF_TOKEN": '"hf_abcdefghijklmnop"'}}, "token", "wrong", "quotes around it",
            id="a token in quotes",
        ),
        pytest.param(
            {"env": {"HF_TOKEN": "hf_abcdefghij klmnop"}}, "token", "wrong", "spaces", id="a space",
        ),
        pytest.param(
            {"env": {"HF_TOKEN": "ghp_abcdefghijklmnop"}}, "token", "wrong", "begin with hf_",
            id="a token of another service",
        ),
        pytest.param({"env": {"HF_TOKEN": ""}}, "token", "missing", "empty", id="an empty token"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_named(
    project: Project, changes: dict[str, Any], check: str, status: str, message: str
) -> None:
    told = rows(asked(Recorded("linux", **changes), project), check)
    assert any(r.status == status and message in r.message for r in told), told


def test_a_project_without_uv_in_its_configuration_locks_with_its_help(project: Project) -> None:
    project = replace(project, resolver="pip-tools", installer="pip")
    machine = Recorded("linux", which={"uv": None})
    (told,) = [r for r in rows(asked(machine, project), "program") if r.subject == "uv"]
    assert (told.status, told.message) == ("missing", "not here")


def test_a_token_may_stand_in_dotenv(project: Project) -> None:
    dotenv = f"{project.root}/.env"
    machine = Recorded("linux", files={dotenv: "# mine\nexport HF_TOKEN='hf_abcdefghijklmnop'\n"})
    found = asked(machine, project)
    assert row(found, "token").message.startswith("in .env, well-formed")
    assert "hf_abc" not in plain(table(found))


def test_what_is_no_token_of_hugging_face_is_sent_where_those_are_made(project: Project) -> None:
    machine = Recorded("linux", files={f"{project.root}/.env": 'HF_TOKEN="abc"\n'})
    told = row(asked(machine, project), "token")
    assert (told.status, told.mend) == (
        "wrong",
        "set it to one of https://huggingface.co/settings/tokens",
    )


@pytest.mark.parametrize(
    ("own", "image"),
    [(None, "ghcr.io/astral-sh/uv:0.9.5"), ("registry.example.com/uv:1",) * 2],
    ids=["of the locked version", "the base's own"],
)
def test_the_image_that_brings_uv_is_looked_for_too(
    own: str | None, image: str, project: Project
) -> None:
    slim = replace(project.bases["slim"], python="uv", uv_image=own)
    tools_path(project).write_text(emit_tools([replace(pin("uv"), version="0.9.5")]))
    made = replace(project, bases={"slim": slim})
    assert row(asked(Recorded("linux"), made), "base", image).message == "here"
    away = {"docker buildx imagetools inspect": {"returncode": 1, "stderr": "ERROR: not found\n"}}
    told = row(asked(Recorded("macos", runs=away), made), "base", image)
    assert told.status == "missing"
    assert told.mend.endswith("write another image at bases.slim.uv-image")


def test_a_registry_that_cannot_be_asked_is_unknown_and_one_without_the_image_is_missing(
    project: Project,
) -> None:
    inspect = "docker buildx imagetools inspect"
    away = {inspect: {"returncode": 1, "stderr": "ERROR: dial tcp: lookup: no such host\n"}}
    gone = {inspect: {"returncode": 1, "stderr": "ERROR: docker.io/library/python: not found\n"}}
    told = [rows(asked(Recorded("macos", runs=runs), project), "base") for runs in (away, gone)]
    assert [{r.status for r in base} for base in told] == [{"unknown"}, {"missing"}]


def test_a_base_whose_locked_digest_is_gone_is_to_be_locked_anew(project: Project) -> None:
    images = {base.runtime for base in project.bases.values()}
    bases_path(project).write_text(emit_bases(dict.fromkeys(images, f"sha256:{'0' * 64}")))
    said = {"returncode": 1, "stderr": "ERROR: docker.io/library/python: not found\n"}
    runs = {"docker buildx imagetools inspect": said}
    told = rows(asked(Recorded("macos", runs=runs), project), "base")
    mends = {base.subject: base.mend.split(";")[0] for base in told}
    anew = "venvsmith lock --upgrade takes what its tag stands for now"
    assert {image for image, mend in mends.items() if mend == anew} == images


@pytest.mark.parametrize(
    ("cache", "runs", "told"),
    [
        ("type=local,dest=.cache/{image}", {}, ["wrong"]),
        ("type=inline", {}, []),
        (
            "ghcr.io/acme/cache:{image}",
            {"docker info": {"stdout": {"DriverStatus": [["driver-type",
                "io.containerd.snapshotter.v1"]]}}},
            [],
        ),
        (
            "ghcr.io/acme/cache:{image}",
            {"docker buildx inspect": {"stdout": "Name: far\nDriver: kubernetes\n"}},
            [],
        ),
    ],
    ids=["docker's own store", "a cache inside the image", "containerd's store", "another builder"],
)  # fmt: skip
def test_a_cache_that_the_builder_does_not_write_is_told(
    project: Project, cache: str, runs: dict[str, Any], told: list[str]
) -> None:
    project = replace(project, build=BuildSettings(cache_to=(cache,)))
    found = asked(Recorded("linux", runs=runs), project)
    assert [row.status for row in rows(found, "cache")] == told


def test_a_base_without_the_variants_platform_is_wrong(project: Project) -> None:
    index = {"manifests": [{"platform": {"os": "linux", "architecture": "arm64"}}]}
    runs = {"docker buildx imagetools inspect": {"stdout": index}}
    base = rows(asked(Recorded("macos", runs=runs), project), "base")[0]
    assert base.message == "its registry has it for linux/arm64, not for linux/amd64"


@pytest.mark.parametrize(
    ("system", "name", "host"),
    [
        pytest.param("darwin", "Docker Desktop", "unix:///Users/ada/.docker/run", id="a Mac"),
        pytest.param("linux", "Docker Desktop", "unix:///home/ada/.docker/run", id="Desktop"),
        pytest.param("linux", "Debian GNU/Linux 13", "ssh://ada@far", id="an engine elsewhere"),
    ],
)
def test_disk_of_an_engine_elsewhere_is_what_its_containers_see(
    system: str, name: str, host: str, project: Project
) -> None:
    runs = json.loads((Path(__file__).parent / "machines" / "linux.json").read_text())["runs"]
    inside = {"stdout": runs["docker run"]["stdout"].replace("878906250", "75195312")}
    info = {"stdout": {"OperatingSystem": name, "DockerRootDir": "/var/lib/docker"}}
    changed = {"docker run": inside, "docker info": info}
    changed["docker context inspect"] = {"stdout": host}
    machine = Recorded("linux", system=system, runs=changed)
    assert row(asked(machine, project), "disk", "engine").message.startswith("77.0 GB free")


@pytest.mark.parametrize("name", ["linux", "macos", "windows"])
def test_the_table_fits_80_columns_and_the_json_its_schema(name: str, project: Project) -> None:
    found = asked(Recorded(name), project)
    lines = plain(table(found)).splitlines()
    # A path or an address stays whole, alone on its line.
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 1] == []
    assert all(line == line.rstrip() for line in lines)
    jsonschema.validate(json.loads(as_json(found)), json.loads(json_schema()))


def test_the_published_schema_is_in_step() -> None:
    assert (ROOT / SCHEMA_FILE).read_text() == json_schema()
