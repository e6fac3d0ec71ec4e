"""What is found, what is read, and what a right configuration becomes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from venvsmith.config import find, load
from venvsmith.errors import ConfigError, UsageError
from venvsmith.model.project import Base, CopyFile, Image, Index, Platform, Project, Stage

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
EXAMPLE = HERE / "contract-example.toml"
SMALL = """
[{0}project]
name = "x"
python = "3.11"
[{0}bases.slim]
image = "python:3.11"
[{0}variants.cpu]
base = "slim"
platforms = ["linux/amd64"]
[{0}stages.app]
requires = ["httpx"]
"""


def written(folder: Path, text: str, name: str = "venvsmith.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder / name


def with_project_key(tmp_path: Path, line: str) -> Project:
    text = SMALL.format("").replace('python = "3.11"', f'python = "3.11"\n{line}')
    return load(written(tmp_path, text))


def test_the_contracts_example_is_read_whole() -> None:
    project = load(EXAMPLE)
    assert (project.name, project.python, project.root) == ("whisperx", "3.11", HERE)
    assert project.exclude_newer == "2026-11-01"
    assert project.indexes["internal"] == Index(
        name="internal", url="https://wheels.example.com/simple", packages=("acme-*",)
    )
    assert project.bases["slim"] == Base(
        name="slim",
        build="python:3.11-bookworm",
        runtime="python:3.11-slim-bookworm",
        python_path="/usr/local/bin/python3.11",
        manylinux="2_28",
        apt=("ca-certificates",),
        env={"LANG": "C.UTF-8"},
    )
    assert project.variants["cpu"].platforms == (Platform(arch="amd64"), Platform(arch="arm64"))
    assert project.stages["whisperx"] == Stage(
        name="whisperx",
        extends="pyannote",
        requires=("whisperx==3.8.6",),
        imports=("whisperx.asr", "whisperx.diarize"),
        commands=(("whisperx", "--help"),),
        variants=("cuda",),
    )
    assert project.images["base-ml"].variants == ("cpu", "cuda")
    assert project.images["whisperx"] == Image(
        name="whisperx",
        parents={"cuda": "base-ml"},
        venvs={"/venv": "whisperx"},
        variants=("cuda",),
        user=1001,
        workdir="/app",
        env={"HF_HOME": "/cache"},
        writable=("/cache",),
        copy=(CopyFile(source="config", to="/app/config"),),
        entrypoint=("whisperx",),
        cmd=(),
        tags=("ghcr.io/acme/whisperx:3.8.6-{variant}",),
    )
    assert (project.preflight.binaries, project.preflight.tokens) == (("ffmpeg",), ("HF_TOKEN",))


def test_a_stage_has_the_variants_that_its_parent_has_too() -> None:
    variants = {name: stage.variants for name, stage in load(EXAMPLE).stages.items()}
    both = ("cpu", "cuda")
    assert variants == {"torch": both, "pyannote": both, "whisperx": ("cuda",), "app": ("cuda",)}


def test_parents_come_before_children(tmp_path: Path) -> None:
    text = SMALL.format("") + (
        '[stages.a]\nextends = "b"\n[stages.b]\nextends = "app"\n'
        '[images.top]\nfrom = "low"\nstage = "a"\n[images.low]\nstage = "app"\n'
    )
    project = load(written(tmp_path, text))
    assert (list(project.stages), list(project.images)) == (["app", "b", "a"], ["low", "top"])


def test_an_image_may_build_on_another_one_in_each_variant(tmp_path: Path) -> None:
    text = SMALL.format("") + (
        '[variants.gpu]\nbase = "slim"\nplatforms = ["linux/amd64"]\n'
        '[images.top]\nfrom = { gpu = "mid", cpu = "low" }\nstage = "app"\n'
        '[images.mid]\nfrom = "low"\nstage = "app"\n[images.low]\nstage = "app"\n'
    )
    images = load(written(tmp_path, text)).images
    assert list(images) == ["low", "mid", "top"]
    assert images["top"].parents == {"cpu": "low", "gpu": "mid"}
    assert images["mid"].parents == {"cpu": "low", "gpu": "low"}


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("exclude-newer = 2026-11-01", "2026-11-01"),
        ('exclude-newer = "2026-11-01"', "2026-11-01"),
        ("exclude-newer = 2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
        ('exclude-newer = "2026-11-01 12:00:00+02:00"', "2026-11-01T12:00:00+02:00"),
    ],
)
def test_moments_may_be_tomls_own_or_strings(line: str, moment: str, tmp_path: Path) -> None:
    assert with_project_key(tmp_path, line).exclude_newer == moment


def test_names_of_distributions_and_paths_are_normalised(tmp_path: Path) -> None:
    project = with_project_key(tmp_path, 'no-wheel = ["My_Package"]\nlocks = "./a//b/"')
    assert (project.no_wheel, project.locks) == (("my-package",), "a/b")


def test_one_image_of_a_base_is_for_build_and_runtime(tmp_path: Path) -> None:
    base = load(written(tmp_path, SMALL.format(""))).bases["slim"]
    assert (base.build, base.runtime) == ("python:3.11", "python:3.11")


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "registry.example.com:5000/a/b_c/d__e:1.0",
        "localhost/x",
        "python:3.11@sha256:" + "0" * 64,
    ],
)
def test_image_references_are_taken_as_docker_takes_them(image: str, tmp_path: Path) -> None:
    text = SMALL.format("").replace("python:3.11", image)
    assert load(written(tmp_path, text)).bases["slim"].build == image


def test_stages_may_ask_different_things_of_several_indexes(tmp_path: Path) -> None:
    index = '[indexes.{0}]\nurl = "https://{0}.example.com/simple"\npackages = ["{1}"]\n'
    text = SMALL.format("") + index.format("a", "acme-*") + index.format("b", "*-acme-b")
    with pytest.raises(ConfigError, match="claim the same names"):
        load(written(tmp_path, text))
    text = SMALL.format("") + index.format("a", "acme-*-x") + index.format("b", "acme-*-y")
    assert list(load(written(tmp_path, text)).indexes) == ["a", "b"]


def test_the_nearest_file_upwards_is_found(tmp_path: Path) -> None:
    file = written(tmp_path / "project", SMALL.format(""))
    written(tmp_path / "project/sub", "[tool.other]\nvenvsmith = 1\n", "pyproject.toml")
    start = tmp_path / "project/sub/deep"
    start.mkdir()
    assert load(None, start=start).file == file


def test_the_table_in_a_pyproject_counts_and_names_its_keys(tmp_path: Path) -> None:
    file = written(tmp_path, SMALL.format("tool.venvsmith."), "pyproject.toml")
    assert load(None, start=tmp_path) == load(file)
    written(tmp_path, SMALL.format("tool.venvsmith.") + 'x = "y"', "pyproject.toml")
    with pytest.raises(ConfigError) as caught:
        load(None, start=tmp_path)
    assert [key for key, _ in caught.value.problems] == ["tool.venvsmith.stages.app.x"]


def test_venvsmith_toml_comes_before_the_pyproject_beside_it(tmp_path: Path) -> None:
    written(tmp_path, SMALL.format("tool.venvsmith."), "pyproject.toml")
    assert find(tmp_path).name == "pyproject.toml"
    written(tmp_path, SMALL.format(""))
    assert find(tmp_path).name == "venvsmith.toml"


def test_a_pyproject_named_without_the_table_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "[tool]\n", "pyproject.toml")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == (("tool.venvsmith", "there is no such table"),)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "[tool]\nvenvsmith = 3\n", "pyproject.toml")
    with pytest.raises(ConfigError) as caught:
        load(file)
    told = ("tool.venvsmith", "expected a table, got an integer")
    assert caught.value.problems[0] == told


def test_no_configuration_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(None, start=tmp_path)
    assert caught.value.lines() == [
        (
            f"config: {tmp_path}: no venvsmith.toml, and no pyproject.toml with [tool.venvsmith], "
            "here or in a folder above; run `venvsmith init`, or name one with --config FILE"
        )
    ]


@pytest.mark.parametrize(
    ("name", "reason"), [("none.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_named_file_that_cannot_be_read_is_told(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path / name)
    assert caught.value.message == f"cannot be read: {reason}"


def test_a_linked_file_belongs_where_it_is_linked(tmp_path: Path) -> None:
    real = written(tmp_path / "shared", SMALL.format(""))
    (tmp_path / "project").mkdir()
    (tmp_path / "project/venvsmith.toml").symlink_to(real)
    assert load(tmp_path / "project/venvsmith.toml").root == tmp_path / "project"


def test_a_byte_order_mark_and_dos_lines_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "venvsmith.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.format("").replace("\n", "\r\n").encode())
    assert load(file).name == "x"


@pytest.mark.parametrize(
    "file",
    [CHECKOUT / "venvsmith.toml", *sorted((CHECKOUT / "examples").glob("*/venvsmith.toml"))],
    ids=lambda file: file.parent.name,
)
def test_the_configurations_of_this_repository_load(file: Path) -> None:
    assert load(file).images


def test_the_pages_examples_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (CHECKOUT / "docs/configuration.md").read_text("utf-8")
    example = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0]
    lines = re.findall(r"^venvsmith: (.*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    assert load(written(tmp_path, example)).images["hello"].venvs == {"/venv": "app"}
    wrong = example.replace('"3.11"\n\n', "3.11\n\n").replace("requires =", "require =")
    written(tmp_path, wrong.replace('stage = "app"', 'stage = "ap"'))
    with pytest.raises(ConfigError) as caught:
        load(None)
    assert caught.value.lines() == lines
    assert tomllib.loads(example)
