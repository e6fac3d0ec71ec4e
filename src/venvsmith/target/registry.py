"""An image in a registry: pulled by its digest, looked into like any other, and given back.

The tag is asked for once; from there on the digest names the image, so that nothing changes in
between and no tag of the local engine moves. Login and trust are docker's own.
"""

from __future__ import annotations

import re

from venvsmith import engine
from venvsmith.engine.faults import ABSENT, registry_error
from venvsmith.engine.registry import look_up
from venvsmith.errors import SurroundingsError, UsageError, VenvsmithError
from venvsmith.files import full_disk
from venvsmith.target.image import ImageTarget, open_image

PULL_SECONDS = 3600.0
_REFERENCE = re.compile(
    r"(?P<repository>(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+:\d+)(?::\d+)?(?:/[\w.-]+)+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def open_registry(reference: str) -> ImageTarget:
    """Open ``registry:HOST/NAME[:TAG][@DIGEST]``; what the engine had already, it keeps.

    :raises UsageError: where the registry has no such image, or the reference names no registry.
    :raises UnsafeInputError: as `open_image`.
    :raises SurroundingsError: where the registry or the engine cannot be reached, or fails.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise UsageError(
            "names no image of a registry", where=f"registry:{reference}",
            hint="write registry:HOST/NAME:TAG, as in registry:docker.io/library/python:3.13, or "
            f"docker:registry:{reference} for an image of that name in the local engine",
        )  # fmt: skip
    pinned = f"{found['repository']}@{found['digest'] or _resolve(reference)}"
    here = engine.call("image", "inspect", pinned).returncode == 0
    if not here:
        _pull(pinned)
    try:
        target = open_image(pinned, shown=f"registry:{reference}")
    except BaseException:
        if not here:
            engine.forget(pinned)
        raise
    target.borrowed = "" if here else pinned
    return target


def _resolve(reference: str) -> str:
    """Return the digest that a tag stands for in its registry now.

    :raises UsageError: where there is no such tag.
    :raises SurroundingsError: where the registry does not tell.
    """
    answer = look_up(reference)
    if answer.words:
        raise _failure(answer.words, reference)
    if not answer.digest:
        raise SurroundingsError(
            "docker does not tell its digest", where=f"registry:{reference}",
            hint="docker buildx version: 0.13 and later do", code="engine-failed",
        )  # fmt: skip
    return answer.digest


def _pull(pinned: str) -> None:
    done = engine.call("pull", "--quiet", pinned, timeout=PULL_SECONDS)
    if done.returncode == 0:
        return
    if (full := full_disk(done.error_text, where=f"registry:{pinned}")) is not None:
        raise full
    raise _failure(done.error_text, pinned)


def _failure(words: str, reference: str) -> VenvsmithError:
    """Return the error that docker's words tell of."""
    where = f"registry:{reference}"
    if ABSENT.search(words):
        return UsageError(
            "the registry has no such image, or does not show it to this login", where=where,
            hint="look at its name and tag, or 'docker login' to the registry",
            code="no-such-target",
        )  # fmt: skip
    return registry_error(words, where=where, doing="pull")[0]
