from __future__ import annotations

from dataclasses import replace

from values import plan
from venvsmith.push.model import host_of


def test_tags_with_a_slash_are_pushed_to_the_registry_that_docker_reads() -> None:
    tags = (
        "asr:cuda",
        "alias:1",
        "ghcr.io/acme/asr:1",
        "localhost/asr:1",
        "127.0.0.1:5000/asr:1",
        "acme/asr:1",
        "docker.io/acme/asr:2",
    )
    pushed = replace(plan(), tags=tags).registry_tags
    assert {tag: host_of(tag) for tag in pushed} == {
        "ghcr.io/acme/asr:1": "ghcr.io",
        "localhost/asr:1": "localhost",
        "127.0.0.1:5000/asr:1": "127.0.0.1:5000",
        "acme/asr:1": "docker.io",
        "acme/asr:2": "docker.io",
    }
