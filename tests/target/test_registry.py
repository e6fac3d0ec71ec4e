"""Images in a real registry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import docker
from registries import serving
from venvsmith.collect import CollectRequest, collect
from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.target import open_target

TEXT = (
    "FROM venvsmith-test/bookworm:1\nRUN /usr/bin/python3 -m venv --without-pip /venv && echo {}\n"
)


def known(name: str) -> str:
    """Return the ID of an image that the engine has under a name; empty for none."""
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", name]
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def pushed(registry: str) -> Iterator[str]:
    """Yield an image that the registry has and the engine has not."""
    tag = f"{registry}/acme/app:1"
    docker("build", "--quiet", "--tag", tag, "-", data=TEXT.format("theirs"))
    docker("push", "--quiet", tag)
    docker("image", "rm", "--force", known(tag))
    yield tag
    for image in docker("image", "ls", "--quiet", f"{registry}/acme/app").split():
        docker("image", "rm", "--force", image)


@pytest.mark.engine
def test_an_image_is_pulled_looked_into_and_given_back(pushed: str) -> None:
    with open_target(f"registry:{pushed}") as target:
        facts = collect(target, CollectRequest(imports={"": ("json",)}))
        image = str(facts.target.digest)
        assert known(image)
    assert [env.path for env in facts.environments] == ["/venv"]
    assert facts.environments[0].imports[0].status == "ok"
    assert facts.target.ref == f"registry:{pushed}"
    assert not known(image)


@pytest.mark.engine
def test_what_the_engine_has_stays_and_none_of_its_tags_moves(pushed: str) -> None:
    docker("build", "--quiet", "--tag", pushed, "-", data=TEXT.format("ours"))
    ours = known(pushed)
    with open_target(f"registry:{pushed}") as target:
        theirs = str(target.facts_target.digest)
    assert theirs != ours == known(pushed)

    docker("pull", "--quiet", pushed)
    with open_target(f"registry:{pushed}") as target:
        assert target.facts_target.digest == theirs
    assert known(pushed) == theirs


@pytest.mark.engine
@pytest.mark.parametrize("what", ["/acme/app:2", "/acme/other:1", "/acme/app@sha256:" + "0" * 64])
def test_what_no_registry_has_is_a_usage_error(registry: str, what: str) -> None:
    with pytest.raises(UsageError, match="has no such image") as caught:
        open_target(f"registry:{registry}{what}")
    assert caught.value.code == "no-such-target"


@pytest.mark.engine
def test_a_registry_that_asks_for_a_login_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "registry", login=True) as address:
        with pytest.raises(SurroundingsError, match="refuses this login") as caught:
            open_target(f"registry:{address}/acme/app:1")
        assert caught.value.code == "registry-login"
        assert "docker login" in caught.value.hint
        assert "--env-file" not in caught.value.hint


@pytest.mark.engine
def test_a_registry_that_is_gone_is_the_surroundings_fault(tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as address:
        pass
    with pytest.raises(SurroundingsError, match="cannot be reached") as caught:
        open_target(f"registry:{address}/acme/app:1")
    assert caught.value.code == "registry-unreachable"


@pytest.mark.parametrize("ref", ["2", "python:3.13", "--help", "", "ghcr.io/", "ghcr.io/a b:1"])
def test_what_names_no_registry_is_told_before_docker_is_asked(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/no/such/folder")
    with pytest.raises(UsageError, match="names no image of a registry"):
        open_target(f"registry:{ref}")
