"""Paths of this machine as targets: a venv is told from other folders, and a slip is helped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from venvsmith.collect import CollectRequest, collect
from venvsmith.errors import UsageError
from venvsmith.target import open_target, venv_of


def lay(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("files", "ref", "meant"),
    [
        pytest.param(["Dockerfile"], "./Dockerfile", "dockerfile:./Dockerfile", id="a Dockerfile"),
        pytest.param(["a.tar"], "./a.tar", "docker-archive:./a.tar", id="an archive"),
        pytest.param([".venv/pyvenv.cfg"], ".", "venv:./.venv", id="a project"),
        pytest.param([".venv/pyvenv.cfg"], "venv:.", "venv:./.venv", id="a project as a venv"),
        pytest.param(["lib/python3.11/site-packages/a.py"], "./", "venv:.", id="a broken venv"),
        pytest.param(["x/index.json"], "./x", "oci:./x", id="an OCI layout"),
        pytest.param(["x/etc/a", "x/usr/b"], "./x", "rootfs:./x", id="a root folder"),
        pytest.param(["x/_internal/a"], "./x", "bundle:./x", id="a frozen application"),
        pytest.param(["x/a"], "./x", "venv:DIR, rootfs:DIR", id="any folder"),
    ],
)
def test_a_path_without_its_kind_is_answered_with_what_is_meant(
    files: list[str], ref: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, *files)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        open_target(ref)
    assert caught.value.hint.startswith(f"did you mean {meant}")


@pytest.mark.parametrize("ref", ["./no/such", "/no/such/folder", "docker:.", "docker:./x"])
def test_what_can_be_no_image_never_reaches_the_engine(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/socket")
    with pytest.raises(UsageError):
        open_target(ref)


@pytest.mark.parametrize(
    "left", ["pyvenv.cfg", "bin/python3", "lib64/python3.12/site-packages/six.py"]
)
def test_what_is_left_of_a_broken_venv_is_judged(left: str, tmp_path: Path) -> None:
    lay(tmp_path, left)
    with open_target(f"venv:{tmp_path}") as target:
        assert target.placement.venvs == (str(tmp_path),)


def test_an_installation_that_is_named_as_a_venv_is_judged_as_one(tmp_path: Path) -> None:
    lay(tmp_path, "lib/python3.11/encodings/__init__.py", "lib/python3.11/site-packages/six.py")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    with open_target(f"venv:{tmp_path}") as target:
        (env,) = collect(target, CollectRequest(static=True)).environments
    assert (env.kind, env.path) == ("system", str(tmp_path))


def test_a_venv_is_known_by_the_path_that_its_facts_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, ".venv/pyvenv.cfg")
    monkeypatch.chdir(tmp_path)
    for ref in ("venv:.venv", ".venv", "venv:./x/../.venv/", f"venv:{tmp_path}/.venv"):
        assert venv_of(ref) == str(tmp_path / ".venv")
    assert venv_of("asr:latest") is None
