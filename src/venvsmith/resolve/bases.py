"""Looks up which image a base's tag stands for today."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from venvsmith.lock.bases import base_images, read_bases
from venvsmith.process import Command, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from venvsmith.model.project import Project

LOCAL_SECONDS, REGISTRY_SECONDS = 10.0, 20.0
"""An engine that hangs, or a registry that never answers, holds up a lock no longer than that."""
THREADS = 4


def pin_bases(
    project: Project,
    *,
    upgrade: bool,
    offline: bool,
    stop: Event,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Return image to digest for the base images that are recorded or can be looked up.

    A recorded digest stays until an upgrade, and then too where the registry does not answer.

    :param offline: whether to keep to what is recorded.
    :param stop: once set, what runs is stopped.
    :param say: told why an image is left out.
    :raises UnsafeInputError: where the record is malformed.
    """
    recorded = read_bases(project)
    images = base_images(project)
    asked = [image for image in images if upgrade or image not in recorded]
    found: dict[str, str] = {}
    if asked and not offline:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = pool.map(lambda image: _look_up(image, stop), asked)
            for image, (digest, why) in zip(asked, answers, strict=True):
                if digest:
                    found[image] = digest
                else:
                    say(f"base image {image} is not pinned anew: {why}")
    known = {**recorded, **found}
    return {image: known[image] for image in images if image in known}


def _look_up(image: str, stop: Event) -> tuple[str, str]:
    """Return an image's digest, or else why there is none.

    What lies on this machine under that name and comes from no registry is what builds here take,
    so the registry is not asked for another one of the same name.
    """
    local = run(
        Command(
            argv=("docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image),
            timeout=LOCAL_SECONDS,
        ),
        stop=stop,
    )
    if local.returncode == 0 and local.text.strip() in {"[]", "null"}:
        return "", "it was made on this machine, and no registry has it"
    asked = run(
        Command(
            argv=(
                *("docker", "buildx", "imagetools", "inspect"),
                *("--format", "{{json .Manifest}}", image),
            ),
            timeout=REGISTRY_SECONDS,
        ),
        stop=stop,
    )
    if asked.returncode != 0:
        lines = asked.error_text.strip().splitlines() or [f"no answer in {REGISTRY_SECONDS:g} s"]
        return "", lines[-1].removeprefix("ERROR: ")
    try:
        digest = str(json.loads(asked.text)["digest"])
    except (ValueError, KeyError, TypeError):
        digest = ""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", digest) is None:
        return "", "this docker does not tell its digest"
    return digest, ""
