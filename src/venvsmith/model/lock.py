"""A lock as a value: what one stage installs in one variant on one platform."""

from __future__ import annotations

from dataclasses import dataclass

from venvsmith.model.project import LockKey


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Pin:
    """One distribution at one version, with the hashes of the files that may be installed."""

    name: str
    """Normalised as PEP 503 has it."""
    version: str
    hashes: tuple[str, ...]
    """``sha256:…``, sorted, never empty."""

    def requirement(self) -> str:
        """Return the requirement without hashes, ``torch==2.8.0``."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A lockfile's content.

    ``pins`` are sorted by name and contain every pin of the parent stage's lock.
    """

    key: LockKey
    resolver: str
    """The resolver and its version, ``uv 0.13.8``."""
    inputs: str
    """Digest of what the resolution was made from, ``sha256:…``."""
    pins: tuple[Pin, ...]

    def names(self) -> frozenset[str]:
        """Return the normalised names of all pins."""
        return frozenset(pin.name for pin in self.pins)

    def version_of(self, name: str) -> str | None:
        """Return the version of a normalised name, or None where it is not locked."""
        return next((pin.version for pin in self.pins if pin.name == name), None)
