"""What BuildKit says when a bake fails, and what is told of it: its words are those of 0.12 on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from values import plan, project
from venvsmith.build.buildkit import bake_failure
from venvsmith.model.plan import ImageRef

SLIM = "python:3.11-slim"
GONE = f"{SLIM}@sha256:{'0' * 64}"
RESOLVING = "failed to resolve source metadata for docker.io/library/"


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        pytest.param(
            f"failed to solve: {SLIM}: {RESOLVING}{SLIM}: docker.io/library/{SLIM}: not found",
            2,
            f"no-base: bases.slim.runtime: {SLIM} is neither here nor to be had: ",
            id="no such tag",
        ),
        pytest.param(
            f"failed to solve: {SLIM}: {RESOLVING}{SLIM}: pull access denied, repository does not"
            " exist or may require authorization: server message: insufficient_scope",
            2,
            "no-base: bases.slim.runtime: ",
            id="no such repository",
        ),
        pytest.param(
            f"failed to solve: {GONE}: {RESOLVING}{GONE}: docker.io/library/{GONE}: not found",
            2,
            f"no-base: bases.slim.runtime: {SLIM} is nowhere to be had by the digest that is",
            id="no such digest",
        ),
        pytest.param(
            f"failed to solve: {SLIM}: {RESOLVING}{SLIM}: failed to do request: Head"
            ' "https://registry.example.com/v2/python/manifests/3.11-slim": dial tcp: lookup'
            " registry.example.com: no such host",
            4,
            "registry-unreachable: bases.slim.runtime: the registry cannot be reached",
            id="no network",
        ),
        pytest.param(
            f"failed to solve: {SLIM}: {RESOLVING}{SLIM}: unexpected status from HEAD request to"
            " http://127.0.0.1:5000/v2/python/manifests/3.11-slim: 401 Unauthorized",
            4,
            "registry-login: bases.slim.runtime: ",
            id="no login",
        ),
        pytest.param(
            "failed to solve: other:1: failed to resolve source metadata for other:1: not found",
            4,
            "engine-failed: BuildKit gave up: ",
            id="an image of the user's template",
        ),
        pytest.param(
            "Cache export is not supported for the docker driver.",
            2,
            "cache-unsupported: build.cache-to: ",
            id="a cache that the builder does not write",
        ),
        pytest.param(
            "failed to solve: ResourceExhausted: grpc: received message larger than max (5 vs. 4)",
            2,
            "chain-too-long: images.asr.from: 2 images stand on each other",
            id="too many images on each other",
        ),
        pytest.param("failed to solve: Unknown", 4, "engine-failed: ", id="anything else"),
    ],
)
def test_a_failed_bake_is_told_by_what_mends_it(
    tmp_path: Path, words: str, exit_code: int, told: str
) -> None:
    of = project(root=tmp_path)
    low = replace(plan(of), image="low")
    top = replace(plan(of), below=ImageRef(image="low", variant="cuda"))
    error = bake_failure(of, [low, top], ["#1 DONE 0.0s", f"ERROR: {words}", "and more"])
    (line,) = error.lines()
    assert line.removeprefix("venvsmith: ").startswith(told)
    assert error.exit_code == exit_code
    assert error.hint
