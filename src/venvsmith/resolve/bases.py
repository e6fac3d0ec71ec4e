"""Looks up which image a base's tag stands for today."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from venvsmith import engine
from venvsmith.engine.registry import look_up
from venvsmith.errors import SurroundingsError
from venvsmith.lock.bases import base_images, read_bases

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from venvsmith.model.project import Project

LOCAL_SECONDS = 10.0
"""An engine that hangs holds up a lock no longer than that."""
THREADS = 4


def pin_bases(
    project: Project,
    *,
    upgrade: bool,
    offline: bool,
    stop: Event,
    say: Callable[[str], None],
    detail: Callable[[str], None],
) -> dict[str, str]:
    """Return image to digest for the base images that are recorded or can be looked up.

    A recorded digest stays until an upgrade, and then too where the registry does not answer.

    :param offline: whether to keep to what is recorded.
    :param stop: once set, what runs is stopped.
    :param say: told how many have no digest, in a line, where some have none.
    :param detail: told of each image that is not looked up, or in vain, and why.
    :raises UnsafeInputError: where the record is malformed.
    """
    recorded = read_bases(project)
    images = base_images(project)
    asked = [image for image in images if upgrade or image not in recorded]
    found: dict[str, str] = {}
    if offline:
        answers = [("", "--offline asks no registry") for _ in asked]
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(lambda image: _look_up(image, stop), asked))
    for image, (digest, why) in zip(asked, answers, strict=True):
        if digest:
            found[image] = digest
        else:
            detail(f"base image {image} is not pinned anew: {why}")
    known = {**recorded, **found}
    without = sum(image not in known for image in images)
    if without:
        count = "1 base image is" if without == 1 else f"{without} base images are"
        say(f"{count} not pinned; 'venvsmith -v lock' says why")
    return {image: known[image] for image in images if image in known}


def _look_up(image: str, stop: Event) -> tuple[str, str]:
    """Return an image's digest, or else why there is none.

    What lies on this machine under that name and comes from no registry is what builds here take,
    so the registry is not asked for another one of the same name.
    """
    ask = partial(engine.ask, stop=stop)
    words = ("image", "inspect", "--format", "{{json .RepoDigests}}", image)
    local = ask(*words, timeout=LOCAL_SECONDS)
    if local.returncode == 0 and local.text.strip() in {"[]", "null"}:
        return "", "it was made on this machine, and no registry has it"
    try:
        answer = look_up(image, ask=ask)
    except SurroundingsError as error:
        return "", error.message
    if answer.words:
        return "", answer.words.splitlines()[-1].removeprefix("ERROR: ")
    return answer.digest, "this docker does not tell its digest"
