"""A build as a value: stages of steps that end in one image.

The Dockerfile is one reading of a plan, the local build another. Both read the same `Step.run`
lines; neither may know a step that is not here.

Paths inside a build, all below `Plan.work` (``/venvsmith``): ``in/`` holds what is mounted,
``interpreter`` the path of the interpreter that was agreed on, ``tools/`` uv, ``source/`` and
``wheels/`` the user's own projects, ``skeletons/`` the empty venvs, ``layers/<name>/`` what one
delta installs, ``own/`` what one wheel installs, ``files/`` the user's own files. Each stage writes
paths of its own, so that one folder can serve all stages where there is no BuildKit.

A plan may be for several platforms: what differs between them (the layers, what is promised) stands
in stages of one platform each, ``layer-torch-cpu-arm64``; a stage that goes on from there names the
stem of its parents. `Plan.on` leaves one platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from venvsmith.model.lock import Pin
from venvsmith.model.project import Platform
from venvsmith.model.reference import Reference, registry_tags

StepKind = Literal[
    "apt",
    "user",
    "python",
    "interpreter",
    "tools",
    "source",
    "venv",
    "install",
    "files",
    "rehearse",
]

StageRole = Literal["build", "files", "image", "rehearsal"]
"""What a stage is for: to build something, to gather the user's own files, to put the image
together, or to try it out."""
MANIFEST_SCHEMA = "venvsmith/manifest/1"
"""Of the manifest that each venv carries."""
LOCAL_SCHEMA = "venvsmith/local/1"
"""Of the manifest that the local engine writes beside a root folder."""
LOCAL_BUILDS = ".venvsmith/local"
"""Where in a project the local engine leaves them."""
NETWORK_SECRETS = ("ca", "default-index")
"""Secrets that a machine may bring to every build: its certificates, and the address of the index
that stands for the public one there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A file that a step reads: a path below the project's root, seen at ``target``.

    :param exclude: what of a folder is not needed, as a ``.dockerignore`` in it would say; it may
        be seen where another mount needs it.
    """

    source: str
    target: str
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that a build does, the same for every engine.

    :param id: unique in the plan, ``install:torch.cuda``.
    :param run: lines of POSIX shell; each must succeed.
    :param mounts: files that it reads, and nothing else of the project.
    :param caches: folders that may be kept from build to build.
    :param network: whether it may use the network.
    :param as_user: whether it runs as the image's user instead of root.
    :param secrets: names of build secrets that it may read.
    """

    id: str
    kind: StepKind
    title: str
    run: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    caches: tuple[str, ...] = ()
    network: bool = False
    as_user: bool = False
    secrets: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """The system packages of an ``apt`` step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyTree:
    """What one stage takes from another: the content of ``path`` onto ``to``."""

    stage: str
    path: str
    to: str = "/"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildStage:
    """A file tree that starts as another one: a base image, or an earlier stage.

    :param copies: what it takes from other stages; where its role is ``image``, the image's layers.
    """

    name: str
    parent: str
    role: StageRole = "build"
    parent_is_image: bool = False
    as_root: bool = False
    """Whether its steps need root although what it builds on may run as someone else."""
    title: str = ""
    copies: tuple[CopyTree, ...] = ()
    context: tuple[Mount, ...] = ()
    """Files of the project copied into the tree (not only mounted)."""
    steps: tuple[Step, ...] = ()
    platform: Platform | None = None
    """The one platform that it is for; its name ends in the architecture. None: for each."""
    parent_by_platform: bool = False
    """Whether each platform has a parent of its own, ``<parent>-<arch>``."""
    native: bool = False
    """Whether its base image is of the platform that builds, whatever the image is for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """Distributions that share an image layer.

    :param name: ``torch.cuda``, or ``torch.cuda.nvidia`` where a stage is cut into several.
    :param pins: sorted by name, never empty.
    :param platform: the one that it is for, where the plan is for several.
    """

    name: str
    stage: str
    pins: tuple[Pin, ...]
    platform: Platform | None = None

    @property
    def stem(self) -> str:
        """Return the stem of the lock whose pins it holds: ``torch.cuda``."""
        return ".".join(self.name.split(".")[:2])

    @property
    def filename(self) -> str:
        """Return the name of the file that holds the pins, below ``deltas/``."""
        return f"{self.name}.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnDistribution:
    """A project of the user's own, installed from the wheel that the build makes of it.

    :param stage: whose ``source`` it is.
    :param name: normalised.
    :param version: None where only its build tells it.
    """

    stage: str
    name: str
    version: str | None

    @property
    def layer(self) -> str:
        """Return the name of its layer; no stage's layer of distributions is called so."""
        return f"{self.stage}.source.own"


@dataclass(frozen=True, kw_only=True, slots=True)
class VenvPlan:
    """One venv of an image: where it lies, what it holds, what must work in it."""

    path: str
    stage: str
    layers: tuple[Layer, ...]
    manifests: Mapping[Platform, str]
    """Text of ``<path>/.venvsmith/manifest.json``: what the platform's lock says it holds."""
    own: tuple[OwnDistribution, ...] = ()
    """The user's own projects in it, each a layer after all those of the lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRef:
    """An image of the same configuration that another one builds on."""

    image: str
    variant: str

    @property
    def tag(self) -> str:
        """Return the tag that every build gives it, ``base-ml:cuda``."""
        return f"{self.image}:{self.variant}"

    @property
    def name(self) -> str:
        """Return the name of its plan, ``base-ml.cuda``."""
        return f"{self.image}.{self.variant}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSettings:
    """How the image starts, as far as what it stands on does not say so already."""

    env: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    """Folders that go before the base's PATH."""
    user: int | None = None
    workdir: str | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that building one image in one variant does.

    ``stages`` stand in an order in which each one's parent and copies come before it; the last
    one is the image.
    """

    image: str
    variant: str
    platforms: tuple[Platform, ...]
    python: str
    work: str
    tags: tuple[str, ...]
    venvs: tuple[VenvPlan, ...]
    stages: tuple[BuildStage, ...]
    settings: ImageSettings
    files: Mapping[str, bytes]
    """What the steps mount besides the user's own files: project-relative path to content."""
    context: tuple[str, ...]
    """Every project-relative path that the build reads, sorted."""
    below: ImageRef | None = None
    """The image that it starts from, None where it starts from a base."""

    @property
    def name(self) -> str:
        """Return the name of the build, ``whisperx.cuda``."""
        return f"{self.image}.{self.variant}"

    @property
    def registry_tags(self) -> tuple[Reference, ...]:
        """Return the tags that are to be pushed: see `model.reference.registry_tags`."""
        return registry_tags(self.tags)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return all steps of all stages in order."""
        return tuple(step for stage in self.stages for step in stage.steps)

    def on(self, platform: Platform) -> Plan:
        """Return the plan with the stages that an image for one of its platforms needs."""
        stages = [
            replace(stage, parent=f"{stage.parent}-{platform.arch}", parent_by_platform=False)
            if stage.parent_by_platform
            else stage
            for stage in self.stages
            if stage.platform in {None, platform}
        ]
        return replace(self, platforms=(platform,), stages=tuple(stages))
