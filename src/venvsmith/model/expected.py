"""What an environment should hold and do: what `verify` holds the facts against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    imports: tuple[str, ...] = ()
    """Modules that must import."""
    commands: tuple[tuple[str, ...], ...] = ()
    """Commands that must exit 0."""
    variant: str = ""
    """The accelerator variant that is meant, where that is known."""
    trees: Mapping[str, str] = field(default_factory=dict)
    """``<venv>:<layer>`` to the digest that an earlier build from the same pins recorded."""
    source: str = ""
    """Where the pins were read, as a person would name it: ``locks/whisperx.cuda.txt``."""
