"""Room for the build: what the locked wheels unpack to, against what is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvsmith.errors import VenvsmithError
from venvsmith.lock import delta, read_sizes, sizes_of
from venvsmith.lock.store import find_lock
from venvsmith.preflight.report import Row

if TYPE_CHECKING:
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey, Project
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

HEAVY_WHEEL = 100_000_000
HEAVY_UNPACKED, LIGHT_UNPACKED = 1.9, 4.7
"""Bytes on the disk for a byte of wheel, bytecode included. Measured: of whisperx with CUDA, nearly
all of it in wheels of 100 MB and more, 4.2 GB are 7.6 GB installed without bytecode; numpy, scipy,
scikit-learn and pandas are 75 MB of wheels and 353 MB in their layers."""
ENGINE_COPIES = 3
"""How often an engine holds it while it builds: unpacked in the installer's cache, in the stage
of its layer, and in the image's own layer, as `docker buildx du` shows them."""
ENGINE_KEPT = 1
"""Of these, what an image is, which it cannot be without."""
LOCAL_COPIES = 1
"""Below the project, for the local engine: the root folder that it leaves."""
MARGIN = 500_000_000
"""Bytes for base images, apt and the engine's own files."""


def check_disk(at: Situation) -> list[Row]:
    """Hold what the images of this project need against the disk."""
    if at.project is None:
        return []
    try:
        need = need_of(at.project, at.engine.arch or at.machine.arch)
    except VenvsmithError as error:
        # The row of the locks tells what is wrong with them.
        return [_row("engine", "unknown", f"the locks cannot be read: {error.message}")]
    if not need.wheels:
        message = "no lock tells the sizes of its wheels"
        return [_row("engine", "unknown", message, "venvsmith lock records them")]
    rows = [_engine(at, need)]
    root = str(at.project.root)
    free = at.machine.free(root)
    if at.machine.system == "linux" and free is not None:
        room = need.unpacked * LOCAL_COPIES
        status: Status = "ok" if free >= room else "missing" if at.engine.trouble else "warning"
        mend = "" if status == "ok" else f"for --engine local, free {_gb(room - free)} there"
        message = f"{_gb(free)} free, {_gb(room)} needed by --engine local"
        rows.append(_row("project folder", status, message, mend))
    return rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a project's wheels need."""

    wheels: int
    """Bytes, compressed."""
    unpacked: int
    """Bytes once installed, bytecode included; estimated."""
    unknown: int
    """How many wheels have no recorded size, and count nowhere."""

    def __str__(self) -> str:
        """Return it in words."""
        rest = f", {self.unknown} more of unknown size" if self.unknown else ""
        return f"{_gb(self.wheels)} of wheels{rest}"


def need_of(project: Project, arch: str) -> Need:
    """Return what the images of one architecture need.

    What several stages have from a common ancestor counts once: it is the same layers.

    :param arch: ``amd64``.
    """
    sizes = read_sizes(project)
    known: list[int] = []
    pinned = 0
    for key, lock, parent in _locks(project, arch):
        pins = delta(lock, parent)
        pinned += len(pins)
        known += sizes_of(sizes, key, pins).values()
    unpacked = sum(
        size * (HEAVY_UNPACKED if size >= HEAVY_WHEEL else LIGHT_UNPACKED) for size in known
    )
    return Need(wheels=sum(known), unpacked=int(unpacked), unknown=pinned - len(known))


def _locks(project: Project, arch: str) -> list[tuple[LockKey, Lock, Lock | None]]:
    """Return each lock that an image needs, with its parent's."""
    found: dict[LockKey, tuple[LockKey, Lock, Lock | None]] = {}
    for image in project.images.values():
        for variant in image.variants:
            platforms = project.variants[variant].platforms
            # An engine of another architecture builds the first one for a registry.
            for platform in [p for p in platforms if p.arch == arch] or platforms[:1]:
                for name in image.venvs.values():
                    parent: Lock | None = None
                    for stage in project.ancestry(name):
                        key = project.lock_key(stage=stage.name, variant=variant, platform=platform)
                        lock = found[key][1] if key in found else find_lock(project, key)
                        if lock is None:
                            break
                        found.setdefault(key, (key, lock, parent))
                        parent = lock
    return list(found.values())


def _engine(at: Situation, need: Need) -> Row:
    ours = at.engine.local and at.machine.system == "linux" and "Desktop" not in at.engine.name
    free = at.machine.free(at.engine.root) if ours and at.engine.root else None
    if free is None and not at.engine.trouble:
        # Docker Desktop and engines elsewhere: what a container saw of their disk.
        free = at.inside.result()
    most = need.unpacked * ENGINE_COPIES + MARGIN
    least = need.unpacked * ENGINE_KEPT
    if at.engine.trouble:
        message = f"it does not answer; up to {_gb(most)} needed ({need})"
        return _row("engine", "unknown", message)
    if free is None:
        message = f"not told how much is free; up to {_gb(most)} needed ({need})"
        return _row("engine", "unknown", message)
    message = f"{_gb(free)} free, up to {_gb(most)} needed ({need})"
    if free >= most:
        return _row("engine", "ok", message)
    mend = f"free {_gb(most - free)}: docker system df, docker builder prune"
    return _row("engine", "warning" if free >= least else "missing", message, mend)


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 100_000_000 else f"{size / 1e6:,.0f} MB"  # noqa: PLR2004


def _row(subject: str, status: Status, message: str, mend: str = "") -> Row:
    return Row(
        group="disk", check="disk", subject=subject, status=status, message=message, mend=mend
    )
