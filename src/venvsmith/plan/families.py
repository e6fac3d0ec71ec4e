"""Images that build on images of the same configuration (`images.X.from = "Y"`).

Two readings of one thing: an engine that has images starts from Y's and adds what is missing; one
that has none carries out the whole as if X stood on its base directly. Both end in the same venv.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from venvsmith.model.plan import ImageRef, Layer, OwnDistribution
from venvsmith.model.project import Image, Project

ROOT = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Below:
    """What an image finds in the one that it builds on.

    :param image: as `flattened` gives it.
    :param packages: system packages that it has.
    """

    ref: ImageRef
    image: Image
    packages: frozenset[str]
    stages: frozenset[tuple[str, str]]
    """Pairs of a venv's path and a stage whose layers are in it."""
    users: frozenset[int]
    """Users that have a name and a home already."""

    def holds(self, path: str, part: Layer | OwnDistribution) -> bool:
        """Return whether a part of the venv at a path (of the configuration) is there."""
        return (path, part.stage) in self.stages


def flattened(project: Project, name: str, variant: str) -> Image:
    """Return an image as if it stood on its base directly, with all that those below it bring.

    Environment, labels, files, folders and the working directory of the images below stay where it
    says nothing else, as under docker. How it starts is its own: a user, entrypoint or cmd of an
    image below is taken back, to root and to none.
    """
    image = project.images[name]
    if variant not in image.parents:
        return image
    below = flattened(project, image.parents[variant], variant)
    return replace(
        image,
        parents={},
        user=ROOT if image.user is None and below.user is not None else image.user,
        workdir=below.workdir if image.workdir is None else image.workdir,
        env={**below.env, **image.env},
        writable=tuple(dict.fromkeys((*below.writable, *image.writable))),
        copy=(*below.copy, *image.copy),
        entrypoint=_anew(image.entrypoint, below.entrypoint),
        cmd=_anew(image.cmd, below.cmd),
        labels={**below.labels, **image.labels},
    )


def on_top(project: Project, name: str, variant: str) -> Image:
    """Return an image as an engine builds it that has the one below: only its own files."""
    image = project.images[name]
    return replace(flattened(project, name, variant), copy=image.copy, writable=image.writable)


def below(project: Project, name: str, variant: str) -> Below | None:
    """Return what the image finds below itself, None where it stands on its base."""
    parent = project.images[name].parents.get(variant)
    if parent is None:
        return None
    image = flattened(project, parent, variant)
    stages = {
        (path, ancestor.name)
        for path, stage in image.venvs.items()
        for ancestor in project.ancestry(stage)
    }
    return Below(
        ref=ImageRef(image=parent, variant=variant),
        image=image,
        packages=frozenset(p for _, stage in stages for p in project.stages[stage].apt),
        stages=frozenset(stages),
        users=frozenset(_users(project, parent, variant)),
    )


def _users(project: Project, name: str | None, variant: str) -> set[int]:
    if name is None:
        return {ROOT}
    image = project.images[name]
    own = set() if image.user is None else {image.user}
    return own | _users(project, image.parents.get(variant), variant)


def _anew(own: tuple[str, ...] | None, inherited: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return () if own is None and inherited is not None else own
