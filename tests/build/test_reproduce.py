"""`build --check-reproducible`: a package that notes the time is named, and the file, and why."""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from engines import ca_options, change, docker, image_of, venvsmith
from values import plan, project
from venvsmith.build.differences import first_difference
from venvsmith.build.reproduce import check_out

SETUP = """\
import time
from setuptools import setup
open("clock.py", "w").write(f"BUILT = {time.time_ns()}\\n")
setup(name="clock", version="1", py_modules=["clock"])
"""


def write_tar(path: Path, *members: tuple[str, dict[str, object], bytes]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, fields, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("other", "file", "what", "cause"),
    [
        pytest.param([("a", {}, b"12345")], "/b", "nothing", "order", id="a file less"),
        pytest.param(
            [("a", {"mtime": 7}, b"12345"), ("b", {}, b"")], "/a", "time 0", "time", id="time"
        ),
        pytest.param(
            [("a", {"mode": 0o600}, b"12345"), ("b", {}, b"")], "/a", "mode 644", "umask", id="mode"
        ),
        pytest.param([("a", {"uid": 5}, b"12345"), ("b", {}, b"")], "/a", "0:0", "who", id="owner"),
        pytest.param([("a", {}, b"12x45"), ("b", {}, b"")], "/a", "byte 2", "content", id="byte"),
    ],
)
def test_the_first_difference_of_two_layers_has_its_cause(
    tmp_path: Path,
    other: list[tuple[str, dict[str, object], bytes]],
    file: str,
    what: str,
    cause: str,
) -> None:
    one = write_tar(tmp_path / "1.tar", ("a", {}, b"12345"), ("b", {}, b""))
    two = write_tar(tmp_path / "2.tar", *other)
    found = first_difference(one, two)
    assert found is not None
    assert found.file == file
    assert what in found.what
    assert cause in found.cause
    assert first_difference(one, one) is None


def test_another_checkout_differs_in_rights_and_not_in_what_may_be_executed(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for path, mode in {"config/run.sh": 0o755, "config/x.ini": 0o644, ".git/hook": 0o755}.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text(path)
        (here / path).chmod(mode)
    of = project()
    stages = {**of.stages, "asr": replace(of.stages["asr"], source=".")}
    of = replace(of, root=here, stages=stages)
    made = plan(of)
    check_out(of, [made], {**made.files, "config/x.ini": b"rendered"}, there)
    found = {path: there / path for path in ("config/run.sh", "config/x.ini", ".git/hook")}
    assert found["config/run.sh"].read_text() == "config/run.sh"
    assert found["config/run.sh"].stat().st_mode & 0o777 == 0o700
    assert found["config/x.ini"].read_text() == "rendered"
    assert found["config/x.ini"].stat().st_mode & 0o777 == 0o600
    # What no build reads is not copied either.
    assert not found[".git/hook"].exists()


@pytest.mark.e2e
@pytest.mark.engine
@pytest.mark.network
def test_a_package_that_notes_the_time_of_its_build_is_named(project: Path) -> None:
    (project / "wheels").mkdir()
    with tarfile.open(project / "wheels" / "clock-1.tar.gz", "w:gz") as archive:
        for name, text in (
            ("setup.py", SETUP),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: clock\nVersion: 1\n"),
        ):
            info = tarfile.TarInfo(f"clock-1/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    change(project, r'python = "3\.11"', 'python = "3.11"\nno-wheel = ["clock"]')
    change(project, r"\[variants\.cpu\]", '[variants.cpu]\nfind-links = ["wheels"]')
    change(project, r'"jinja2==3\.1\.6"', '"jinja2==3.1.6", "clock==1"')
    venvsmith(project, "lock")
    told = venvsmith(project, "build", "--check-reproducible", *ca_options(), code=1)
    image = image_of(project)
    last = told.strip().splitlines()[-1]
    start = f"venvsmith: unreproducible: built twice, and not the same: {image}: layer layer-pages"
    assert last.startswith(start)
    # The time begins at byte 8, and its first digits stay for years.
    assert re.search(r" /venv/lib/python3\.11/site-packages/clock\.py: byte \d+: ", last)
    assert "(content: written by a build from source" in last
    left = docker("image", "ls", "-q", f"{image}-again")
    assert left == ""
