"""What an environment should hold and do: what `verify` holds the facts against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedPin:
    """What one line of a lockfile names, for the environments that its marker is about."""

    name: str
    """Normalised."""
    version: str | None = None
    """None where only what is installed tells it: of a folder, or of a repository."""
    marker: str = ""
    """Where it counts, as PEP 508 and PEP 751 write it; everywhere where empty."""
    groups: tuple[str, ...] = ()
    """The dependency groups that the marker may ask for and the lock installs."""
    hashes: tuple[str, ...] = ()
    """``sha256:…`` of the files that it may be installed from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What one environment of a target should hold and do.

    Read from a lockfile, from a stage of the configuration, from the manifest that a built
    environment carries, or from the command line; the parts are simply united.
    """

    name: str = ""
    """How a report calls the environment; its folder's name where empty."""
    path: str | None = None
    """The environment that is meant; None for the target's main one."""
    pins: Mapping[str, str] | None = None
    """Normalised name to version; None where nobody said what should be installed."""
    named: frozenset[str] = frozenset()
    """Normalised names of what else should be installed, at whatever version."""
    locked: tuple[LockedPin, ...] = ()
    """What a lockfile names, before it is known for which Python and platform: the pins and the
    names of one environment come of it once its facts are there."""
    left_out: tuple[str, ...] = ()
    """Lines of the lockfile that name nothing to look for, each with its place."""
    imports: tuple[str, ...] = ()
    """Modules that must import."""
    commands: tuple[tuple[str, ...], ...] = ()
    """Commands that must exit 0."""
    machine: str = ""
    """The machine that the pins are for, as ``platform.machine()`` names it; any where empty."""
    variant: str = ""
    """The accelerator variant that is meant, where that is known."""
    trees: Mapping[str, str] = field(default_factory=dict)
    """``<venv>:<layer>`` to the digest that an earlier build from the same pins recorded."""
    source: str = ""
    """Where the pins were read, as a person would name it: ``locks/whisperx.cuda.txt``."""
