"""Images on images, and several venvs in one, for real: one bake of a small family."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import ca_options, change, docker, layers, tree_of_folder, tree_of_image, venvsmith
from venvsmith.verify import examine

CHAIN = Path(__file__).parents[1] / "families" / "chain"
NAMES = ("low", "mid", "top", "pair")
pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The family built in one bake: its folder, and what the names of its images begin with."""
    folder = tmp_path_factory.mktemp("chain") / "project"
    shutil.copytree(CHAIN, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    prefix = f"vs-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    for name in NAMES:
        change(folder, rf"\[images\.{name}\]", f"[images.{prefix}-{name}]")
    for name in ("low", "mid"):
        change(folder, rf'from = "{name}"', f'from = "{prefix}-{name}"')
    venvsmith(folder, "build", "--no-verify", *ca_options())
    yield folder, prefix
    tags = [f"{prefix}-{name}:cpu" for name in NAMES]
    subprocess.run(["docker", "image", "rm", "-f", *tags], capture_output=True, check=False)


def test_images_share_the_layers_of_the_one_below_and_start_in_their_own_way(
    built: tuple[Path, str],
) -> None:
    _, prefix = built
    low, mid, top = (layers(f"{prefix}-{name}:cpu") for name in ("low", "mid", "top"))
    assert mid[: len(low)] == low
    assert top[: len(mid)] == mid
    assert docker("run", "--rm", f"{prefix}-top:cpu").strip() == "1002 /srv mid 1"
    config = json.loads(docker("image", "inspect", f"{prefix}-mid:cpu"))[0]["Config"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("0", None, None)
    assert config["Labels"]["team"] == "speech"
    assert sum(line.startswith("PATH=/venv/bin:/usr") for line in config["Env"]) == 1


def test_both_engines_leave_the_same_venv_at_the_end_of_a_chain(built: tuple[Path, str]) -> None:
    folder, prefix = built
    venvsmith(folder, "build", f"{prefix}-top", "--engine", "local", *ca_options())
    root = folder / ".venvsmith" / "local" / f"{prefix}-top.cpu" / "root"
    assert tree_of_folder(root / "venv") == tree_of_image(f"{prefix}-top:cpu", "/venv")


def test_an_image_of_a_chain_is_judged_by_its_own_lock(built: tuple[Path, str]) -> None:
    _, prefix = built
    _, report = examine(f"docker:{prefix}-top:cpu")
    assert (report.verdict, report.score) == ("pass", 100)
    assert {p.name for p in report.environments[0].packages} == {"jinja2", "markupsafe", "pygments"}
    broken = f"{prefix}-broken:cpu"
    lines = f"FROM {prefix}-top:cpu\nUSER 0\nRUN rm -r /venv/lib/python3.11/site-packages/jinja2*\n"
    docker("build", "-q", "-t", broken, "-", data=lines)
    try:
        _, report = examine(f"docker:{broken}")
    finally:
        docker("image", "rm", "-f", broken)
    assert report.findings[0].rule == "dist-missing"


def test_several_venvs_stand_side_by_side_and_none_sees_another(built: tuple[Path, str]) -> None:
    _, prefix = built
    image = f"{prefix}-pair:cpu"
    _, report = examine(f"docker:{image}")
    assert (report.verdict, report.score) == ("pass", 100)
    versions = {e.path: {p.name: p.version for p in e.packages} for e in report.environments}
    assert versions == {
        "/venvs/new": {"jinja2": "3.1.6", "markupsafe": "3.0.2", "pygments": "2.19.2"},
        "/venvs/old": {"markupsafe": "2.1.5", "pygments": "2.18.0"},
    }
    assert [env.name for env in report.environments] == ["colors", "old"]

    def run(*words: str) -> str:
        return docker("run", "--rm", "--entrypoint", words[0], image, *words[1:])

    assert run("/venvs/old/bin/pygmentize", "-V").startswith("Pygments version 2.18.0")
    # The first one's programs come first on PATH.
    assert run("pygmentize", "-V").startswith("Pygments version 2.19.2")
    argv = ["docker", "run", "--rm", "--entrypoint", "/venvs/old/bin/python", image, "-c"]
    done = subprocess.run(
        [*argv, "import jinja2"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "No module named 'jinja2'" in done.stderr


def test_a_venv_that_sees_another_is_no_image(built: tuple[Path, str]) -> None:
    folder, prefix = built
    file = folder / "venvsmith.toml"
    before = file.read_text()
    try:
        leak = 'env = { PYTHONPATH = "/venvs/new/lib/python3.11/site-packages" }\n'
        file.write_text(re.sub(r"(?m)^venvs = .*\n", lambda found: found[0] + leak, before))
        told = venvsmith(folder, "build", f"{prefix}-pair", *ca_options(), code=1)
    finally:
        file.write_text(before)
    assert "/venvs/old sees /venvs/new" in told.strip().splitlines()[-1]

    # The same, in an image that someone has built upon it.
    leaky = f"{prefix}-leaky:cpu"
    line = "ENV PYTHONPATH=/venvs/new/lib/python3.11/site-packages"
    docker("build", "-q", "-t", leaky, "-", data=f"FROM {prefix}-pair:cpu\n{line}\n")
    try:
        _, report = examine(f"docker:{leaky}")
    finally:
        docker("image", "rm", "-f", leaky)
    assert ("venvs-not-apart", "/venvs/old") in {(f.rule, f.subject) for f in report.findings}


def test_an_image_upon_an_old_build_of_another_one_is_refused(built: tuple[Path, str]) -> None:
    folder, prefix = built
    file = folder / "venvsmith.toml"
    before = file.read_text()
    try:
        change(folder, r'imports = \["markupsafe\._speedups"\]', 'imports = ["markupsafe"]')
        venvsmith(folder, "render")
        argv = ["docker", "buildx", "build", "--progress=plain", "--output=type=cacheonly"]
        argv += ["-f", f"docker/Dockerfile.{prefix}-mid.cpu", "."]
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    finally:
        file.write_text(before)
    assert done.returncode == 1
    assert f"venvsmith: {prefix}-low:cpu holds something else at /venv" in done.stderr
