"""An image in a registry: pulled by its digest, looked into like any other, and given back.

The tag is asked for once; from there on the digest names the image, so that nothing changes in
between and no tag of the local engine moves. Login and trust are docker's own.
"""

from __future__ import annotations

import re
from typing import NoReturn

from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.process import Completed
from venvsmith.target import engine
from venvsmith.target.faults import ABSENT, registry_error
from venvsmith.target.image import ImageTarget, open_image

LOOKUP_SECONDS = 30.0
PULL_SECONDS = 3600.0
_REFERENCE = re.compile(
    r"(?P<repository>(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+:\d+)(?::\d+)?(?:/[\w.-]+)+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


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
    words = ("buildx", "imagetools", "inspect", "--format", "{{json .Manifest.Digest}}", reference)
    try:
        done = engine.call(*words, timeout=LOOKUP_SECONDS)
    except SurroundingsError as exc:
        if exc.code != "engine-timeout":
            raise
        raise SurroundingsError(
            f"no answer in {LOOKUP_SECONDS:.0f} s", where=f"registry:{reference}",
            hint="look at the registry and the network, then run again",
            code="registry-unreachable",
        ) from exc  # fmt: skip
    if done.returncode:
        _fail(done, reference)
    found = _DIGEST.search(done.text)
    if found is None:
        raise SurroundingsError(
            "docker does not tell its digest", where=f"registry:{reference}",
            hint="docker buildx version: 0.13 and later do", code="engine-failed",
        )  # fmt: skip
    return found[0]


def _pull(pinned: str) -> None:
    done = engine.call("pull", "--quiet", pinned, timeout=PULL_SECONDS)
    if done.returncode:
        _fail(done, pinned)


def _fail(done: Completed, reference: str) -> NoReturn:
    where = f"registry:{reference}"
    if ABSENT.search(done.error_text):
        raise UsageError(
            "the registry has no such image, or does not show it to this login", where=where,
            hint="look at its name and tag, or 'docker login' to the registry",
            code="no-such-target",
        )  # fmt: skip
    if "no space left" in done.error_text:
        raise SurroundingsError(
            engine.first_line(done), where=where, hint="free some disk and run again", code="disk"
        )
    error, _ = registry_error(done.error_text, where=where, doing="pull")
    raise error
