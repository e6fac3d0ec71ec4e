"""Additional apt repositories, held against their pinned keys before anything comes from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aptrepo import PACKAGE, AptRepository, make_repository, served
from engines import ca_options, change, docker, image_of, layers, venvsmith

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AptRepository]:
    folder = make_repository(tmp_path_factory.mktemp("apt"))
    networks = json.loads(docker("network", "inspect", "bridge"))
    with served(folder, networks[0]["IPAM"]["Config"][0]["Gateway"]) as uri:
        yield AptRepository(uri=uri, key=folder / "key.asc")


def use(project: Path, repository: AptRepository, *, key: str = "", sha256: str = "") -> str:
    """Let the small family take the package from the repository; return the image's name."""
    sha256 = sha256 or repository.key_sha256
    more = f', key = "{key}"' if key else ""
    source = f'{{ uri = "{repository.uri}", suite = "stable", key-sha256 = "{sha256}"{more} }}'
    base = 'image = "venvsmith-test/bookworm-noensurepip:1"'
    change(project, r'image = "venvsmith-test/bookworm:1"', f"{base}\napt-sources = [{source}]")
    change(project, r'commands = \[\["pygmentize", "-V"\]\]', f'apt = ["{PACKAGE}"]')
    venvsmith(project, "lock")
    return image_of(project)


def test_a_package_comes_from_a_repository_whose_key_is_the_pinned_one(
    project: Path, repository: AptRepository
) -> None:
    image = use(project, repository)
    venvsmith(project, "build", "--no-verify", *ca_options())
    look = "ls /etc/apt/sources.list.d /etc/apt/keyrings 2>/dev/null | grep -v :; ls -A /tmp"
    assert docker("run", "--rm", "--entrypoint", PACKAGE, image) == "hello\n"
    assert docker("run", "--rm", "--entrypoint", "sh", image, "-c", look).strip() == ""

    # Neither the time nor the way to the key shows in the layers.
    first = layers(image)
    (project / "keys").mkdir()
    key = repository.key.with_name("other-name.gpg").read_bytes()
    (project / "keys" / "own.gpg").write_bytes(key)
    binary = AptRepository(uri=repository.uri, key=project / "keys" / "own.gpg")
    change(
        project,
        r'key-sha256 = "\w+"',
        f'key-sha256 = "{binary.key_sha256}", key = "keys/own.gpg"',
    )
    venvsmith(project, "build", "--no-verify", "--no-cache", *ca_options())
    assert layers(image) == first


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        pytest.param("{uri}/key.asc", "the key key.asc has the digest ", id="another key there"),
        pytest.param(
            "{uri}/nothing.asc", "the key cannot be had from {uri}/nothing.asc: ", id="none"
        ),
        pytest.param("", "no key with the digest 0000", id="not at the usual places"),
    ],
)
def test_without_the_pinned_key_the_build_stops_and_names_the_setting(
    project: Path, repository: AptRepository, key: str, sentence: str
) -> None:
    use(project, repository, key=key.format(uri=repository.uri), sha256="0" * 64)
    told = venvsmith(project, "build", *ca_options(), code=1).strip().splitlines()[-1]
    assert "step apt:runtime: failed: bases.debian.apt-sources[0]: " in told
    assert sentence.format(uri=repository.uri) in told


def test_a_repository_signed_with_another_key_than_the_pinned_one_stops_the_build(
    project: Path, repository: AptRepository, tmp_path: Path
) -> None:
    other = make_repository(tmp_path / "other")
    (project / "other.asc").write_bytes((other / "key.asc").read_bytes())
    pinned = AptRepository(uri=repository.uri, key=project / "other.asc")
    use(project, pinned, key="other.asc")
    told = venvsmith(project, "build", *ca_options(), code=1).strip().splitlines()[-1]
    assert "step apt:runtime: failed: " in told
    assert "is not signed" in told
