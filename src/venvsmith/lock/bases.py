"""The record of base images, ``bases.json``: what each tag stood for when the project was locked.

Its ``bases`` map an image as the configuration names it to the digest of its manifest, or of its
list of manifests where it has several platforms. An image that no registry knows stands in none.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from venvsmith.lock.record import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvsmith.model.lock import Pin
    from venvsmith.model.project import Base, Project

NAME = "bases.json"
UV_IMAGE = "ghcr.io/astral-sh/uv"
"""The image that uv's makers publish; it holds ``/uv``."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def bases_path(project: Project) -> Path:
    """Return where the record lies."""
    return project.root / project.locks / NAME


def base_images(project: Project) -> tuple[str, ...]:
    """Return the images that variants build on and run on, sorted; those with a digest left out."""
    bases = [project.bases[variant.base] for variant in project.variants.values()]
    images = {image for base in bases for image in (base.build, base.runtime)}
    images |= {base.uv_image for base in bases if base.python == "uv" and base.uv_image}
    return tuple(sorted(image for image in images if "@" not in image))


def uv_image(base: Base, tools: Iterable[Pin]) -> str:
    """Return the image that brings uv into builds on a base: its own, or that of uv's makers.

    :param tools: the lock of the build tools, which says the version.
    :return: empty where neither tells it.
    """
    locked = next((f"{UV_IMAGE}:{pin.version}" for pin in tools if pin.name == "uv"), "")
    return base.uv_image or locked


def read_bases(project: Project) -> dict[str, str]:
    """Return image to digest, empty where nothing is recorded.

    :raises UnsafeInputError: where the file is not of the form that `emit_bases` writes.
    """
    return read_record(bases_path(project), _digests, root=project.root, what="base images") or {}


def emit_bases(pins: Mapping[str, str]) -> str:
    """Return the record's text. Equal pins give equal text."""
    return json.dumps({"bases": dict(pins)}, indent=2, sort_keys=True) + "\n"


def _digests(content: Any) -> dict[str, str]:
    found = {str(image): str(digest) for image, digest in content["bases"].items()}
    for image, digest in found.items():
        if _DIGEST.fullmatch(digest) is None:
            message = f"'{digest[:100]}' is no digest of {image[:100]}"
            raise ValueError(message)
    return found
