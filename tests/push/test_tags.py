from __future__ import annotations

import json
from pathlib import Path

import pytest

from values import plan, project
from venvsmith.model.reference import Reference
from venvsmith.push import Shipment, gather
from venvsmith.push.engine import time_for

PRIVATE = "registry.example.com:5000"
LAYERS = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
IMAGE = "sha256:" + "c" * 64


@pytest.mark.parametrize(
    ("tag", "host", "path", "written"),
    [
        ("asr:1", "docker.io", "library/asr", "asr:1"),
        ("asr", "docker.io", "library/asr", "asr:latest"),
        ("acme/asr", "docker.io", "acme/asr", "acme/asr:latest"),
        ("docker.io/acme/asr:2", "docker.io", "acme/asr", "acme/asr:2"),
        ("index.docker.io/library/asr:2", "docker.io", "library/asr", "asr:2"),
        ("docker.io/library/team/asr:2", "docker.io", "library/team/asr", "library/team/asr:2"),
        ("localhost/asr:1", "localhost", "asr", "localhost/asr:1"),
        ("Build/asr:1", "Build", "asr", "Build/asr:1"),
        ("ghcr.io/acme/asr", "ghcr.io", "acme/asr", "ghcr.io/acme/asr:latest"),
        (f"{PRIVATE}/team/asr", PRIVATE, "team/asr", f"{PRIVATE}/team/asr:latest"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "a/b", "127.0.0.1:5000/a/b:1"),
        ("[::1]:5000/asr", "[::1]:5000", "asr", "[::1]:5000/asr:latest"),
    ],
)
def test_a_tag_is_read_as_docker_reads_it(tag: str, host: str, path: str, written: str) -> None:
    found = Reference.of(tag)
    assert (found.host, found.path, str(found)) == (host, path, written)


def test_tags_with_a_slash_are_pushed_and_the_others_are_the_engines_own() -> None:
    tags = ("alias:1", "ghcr.io/acme/{image}:1", f"{PRIVATE}/asr", "acme/asr", "docker.io/acme/asr")
    made = plan(project(image={"tags": tags}))
    assert made.tags[:2] == ("asr:cuda", "alias:1")
    assert [str(tag) for tag in made.registry_tags] == [
        "ghcr.io/acme/asr:1",
        f"{PRIVATE}/asr:latest",
        "acme/asr:latest",
    ]


def shipments(
    tags: tuple[str, ...], history: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Shipment]:
    """What is to be pushed of an image of 3 GB in two layers, as an engine tells of it."""
    told = {
        "Id": IMAGE,
        "Size": 3_000_000_000,
        "RepoDigests": [f"{PRIVATE}/team/asr@sha256:1"],
        "RootFS": {"Layers": LAYERS},
        "Config": {"Labels": {"dev.venvsmith.image": "asr"}},
    }
    (folder / "image").write_text(json.dumps([told]))
    (folder / "history").write_text(history)
    (folder / "docker").write_text(f'#!/bin/sh\nexec cat "{folder}/$1"\n')
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return gather([plan(project(image={"tags": tags}))])


def test_a_tag_that_is_left_out_is_latest_in_its_own_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = (f"{PRIVATE}/team/asr", "ghcr.io/acme/asr")
    private, github = shipments(tags, "", tmp_path, monkeypatch)
    assert (private.host, private.tags) == (PRIVATE, (f"{PRIVATE}/team/asr:latest",))
    assert private.content_tag == f"{PRIVATE}/team/asr:venvsmith-cccccccccccc"
    assert private.digests == {"sha256:1"}
    assert (github.host, github.tags) == ("ghcr.io", ("ghcr.io/acme/asr:latest",))
    assert github.digests == frozenset()


@pytest.mark.parametrize(
    ("history", "sizes", "seconds"),
    [
        pytest.param("2000 COPY b\n1000 COPY a\n", [1000, 2000], 600, id="told"),
        pytest.param("2000 COPY b\n7 ?\n1000 COPY a\n", [0, 0], 600 + 6000, id="not told apart"),
    ],
)
def test_an_image_has_a_second_for_each_half_megabyte_wherever_its_layers_are_told_or_not(
    history: str,
    sizes: list[int],
    seconds: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (one,) = shipments(("acme/asr:1",), history, tmp_path, monkeypatch)
    assert [one.layers[layer] for layer in LAYERS] == sizes
    assert time_for(one.size) == pytest.approx(seconds, abs=1)
