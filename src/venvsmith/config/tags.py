"""The tags of images: templates filled in, and no two images under the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.config.formats import IMAGE_TAG
from venvsmith.config.wording import join, shown
from venvsmith.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.project import Image, Project

PLACEHOLDERS = ("image", "stage", "variant")


def tags_of(image: Image, variant: str) -> tuple[str, ...]:
    """Return an image's tags in one variant; ``<image>:<variant>`` is always there, and first.

    A tag that the configuration leaves out is written out as ``latest``.
    """
    own = (expand(template, image=image, variant=variant) for template in image.tags)
    return tuple(dict.fromkeys([f"{image.name}:{variant}", *map(_in_full, own)]))


def expand(template: str, *, image: Image, variant: str) -> str:
    """Return a text with ``{image}``, ``{stage}`` and ``{variant}`` filled in."""
    stage = next(iter(image.venvs.values()), "")
    return fill(template, image=image.name, stage=stage, variant=variant)


def fill(template: str, *, image: str, stage: str, variant: str) -> str:
    """Return a text with its placeholders filled in."""
    for name, value in zip(PLACEHOLDERS, (image, stage, variant), strict=True):
        template = template.replace(f"{{{name}}}", value)
    return template


def check_tags(project: Project) -> Iterator[tuple[str, str]]:
    """Yield a problem for each tag that will not do as it reads, or that names two images."""
    owners: dict[Reference, str] = {}
    for image in project.images.values():
        for variant in image.variants:
            name = f"{image.name}:{variant}"
            owners[Reference.of(name)] = name
    for image in project.images.values():
        for index, template in enumerate(image.tags):
            path = f"{join('images', image.name)}.tags[{index}]"
            trouble = _template_trouble(template, image) if template else None
            if trouble is not None:
                yield path, trouble
            elif template:
                yield from _expanded(path, template, image, owners)


def _in_full(tag: str) -> str:
    return tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"


def _template_trouble(template: str, image: Image) -> str | None:
    rest = template
    for name in PLACEHOLDERS:
        rest = rest.replace(f"{{{name}}}", "")
    if "{" in rest or "}" in rest:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"{shown(template)} holds an unknown placeholder; known are {known}"
    if "{stage}" in template and len(set(image.venvs.values())) > 1:
        return "{stage} says nothing here: the image holds several stages"
    return None


def _expanded(
    path: str, template: str, image: Image, owners: dict[Reference, str]
) -> Iterator[tuple[str, str]]:
    for variant in image.variants:
        tag = expand(template, image=image, variant=variant)
        if not IMAGE_TAG.fullmatch(tag):
            yield path, f"{shown(tag)} is no image reference; write REPOSITORY:TAG"
            return
        owner = f"{image.name}:{variant}"
        taken = owners.setdefault(Reference.of(tag), owner)
        if taken != owner:
            hint = "put {variant} into it" if taken.startswith(f"{image.name}:") else "change it"
            yield path, f"{shown(tag)} would name both {taken} and {owner}; {hint}"
            return
