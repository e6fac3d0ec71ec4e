"""The configuration as a value: what `venvsmith.toml` says, checked and with defaults filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from venvsmith.model.platforms import MACHINES

Installer = Literal["uv", "pip"]
Resolver = Literal["uv", "pip-tools"]
PythonSource = Literal["image", "apt", "uv"]
LayerCut = Literal["stage", "balanced"]
Arch = Literal["amd64", "arm64"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """A package index from which certain names come, and from nowhere else."""

    name: str
    url: str
    packages: tuple[str, ...] = ()
    """Patterns over normalised names, such as ``acme-*``."""

    def takes(self, name: str) -> bool:
        """Tell whether a normalised name comes from this index and from nowhere else."""
        return any(fnmatchcase(name, pattern) for pattern in self.packages)

    @property
    def variables(self) -> tuple[str, str]:
        """Return the variables that hold its user and its password."""
        stem = f"VENVSMITH_INDEX_{self.name.upper().replace('-', '_')}"
        return f"{stem}_USERNAME", f"{stem}_PASSWORD"


def index_of(name: str, indexes: Iterable[Index]) -> Index | None:
    """Return the index that a normalised name comes from, or None for the default one."""
    return next((index for index in indexes if index.takes(name)), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class AptSource:
    """An additional apt repository of a base."""

    uri: str
    suite: str
    components: tuple[str, ...] = ()
    key_sha256: str = ""
    key: str | None = None
    """A file of the project, or a URL; None where it lies at a usual place below ``uri``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """Where a venv is built and where it runs."""

    name: str
    build: str
    runtime: str
    python: PythonSource = "image"
    python_path: str | None = None
    uv_image: str | None = None
    manylinux: str | None = None
    apt: tuple[str, ...] = ()
    apt_sources: tuple[AptSource, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """One platform of a variant, as docker writes it."""

    arch: Arch

    def __str__(self) -> str:
        """Return docker's form, ``linux/amd64``."""
        return f"linux/{self.arch}"

    @property
    def machine(self) -> str:
        """Return the machine's name as Python's ``platform.machine()`` gives it."""
        return MACHINES[self.arch]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """An accelerator variant: a base, platforms, and where torch comes from."""

    name: str
    base: str
    platforms: tuple[Platform, ...]
    torch_backend: str | None = None
    find_links: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A set of requirements with a lockfile and image layers of its own.

    ``variants`` is already the stage's own list cut with its parent's, in the order in which the
    configuration declares the variants.
    """

    name: str
    extends: str | None = None
    requires: tuple[str, ...] = ()
    requires_file: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    apt: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyFile:
    """A file or folder of the project that goes into an image."""

    source: str
    to: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image to build: stages at venv paths, and how it starts.

    ``venvs`` maps each venv's path to its stage; ``stage = "x"`` in the file is the single entry
    ``{project.venv: "x"}``. ``variants`` is always filled in. ``parents`` maps variants to the
    images that it builds on there; it builds on its base in the others.
    """

    name: str
    venvs: Mapping[str, str]
    variants: tuple[str, ...]
    parents: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    workdir: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[str, ...] = ()
    copy: tuple[CopyFile, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """Cache and secrets of builds."""

    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PreflightSettings:
    """What this project needs of the machine besides the usual."""

    binaries: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """The whole configuration.

    ``root`` is the folder of the configuration file: relative paths start there, and it is the
    build context. Stages stand with parents before children.
    """

    name: str
    root: Path
    file: Path
    python: str
    """The minor version that every stage runs, ``3.11``."""
    installer: Installer = "uv"
    resolver: Resolver = "uv"
    venv: str = "/venv"
    locks: str = "locks"
    output: str = "docker"
    template: str | None = None
    exclude_newer: str | None = None
    no_wheel: tuple[str, ...] = ()
    layers: LayerCut = "balanced"
    indexes: Mapping[str, Index] = field(default_factory=dict)
    bases: Mapping[str, Base] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    build: BuildSettings = field(default_factory=BuildSettings)
    preflight: PreflightSettings = field(default_factory=PreflightSettings)

    def ancestry(self, stage: str) -> tuple[Stage, ...]:
        """Return the stage and all that it extends, the root ancestor first.

        :raises KeyError: where there is no such stage.
        """
        chain: list[Stage] = []
        name: str | None = stage
        while name is not None:
            chain.append(self.stages[name])
            name = self.stages[name].extends
        return tuple(reversed(chain))

    def lock_keys(self) -> Iterator[LockKey]:
        """Yield what has a lockfile: every stage in each of its variants, on each platform."""
        for stage in self.stages.values():
            for variant in stage.variants:
                for platform in self.variants[variant].platforms:
                    yield LockKey(
                        stage=stage.name,
                        variant=variant,
                        platform=platform,
                        single=len(self.variants[variant].platforms) == 1,
                    )

    def lock_key(self, *, stage: str, variant: str, platform: Platform) -> LockKey:
        """Return the key of one stage's lock."""
        single = len(self.variants[variant].platforms) == 1
        return LockKey(stage=stage, variant=variant, platform=platform, single=single)


@dataclass(frozen=True, kw_only=True, slots=True)
class LockKey:
    """Which lockfile: a stage in a variant on a platform."""

    stage: str
    variant: str
    platform: Platform
    single: bool = True
    """Whether the variant has this one platform only."""

    @property
    def stem(self) -> str:
        """Return the name without ending: ``whisperx.cuda`` or ``app.cpu-arm64``."""
        arch = "" if self.single else f"-{self.platform.arch}"
        return f"{self.stage}.{self.variant}{arch}"

    @property
    def filename(self) -> str:
        """Return the lockfile's name below the folder of the locks."""
        return f"{self.stem}.txt"

    @property
    def pylock_filename(self) -> str:
        """Return the PEP 751 name: one dot-free identifier in ``pylock.<name>.toml``."""
        return f"pylock.{self.stem.replace('.', '_').replace('-', '_')}.toml"
