"""GPUs: what the locked torch wants, against what is here. Builds need none of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from venvsmith.data.accelerators import has_kernels, kernels_of, least_driver
from venvsmith.errors import VenvsmithError
from venvsmith.lock.store import find_lock
from venvsmith.preflight.programs import number_of
from venvsmith.preflight.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.lock import Lock
    from venvsmith.model.project import Project, Variant
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

SMI_SECONDS = 4.0
SMI = ("nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")
SMI_PLACES = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
TOOLKIT = ("nvidia-container-runtime", "nvidia-ctk", "nvidia-container-toolkit")
_LOCAL = re.compile(r"\+(cu|rocm)([0-9.]+)$")
_BACKEND = re.compile(r"(cu|rocm)([0-9.]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a variant's torch was built for."""

    variant: str
    kind: str
    """``cuda`` or ``rocm``."""
    version: str
    """``12.8``; empty where nothing tells."""
    torch: str = ""


def check_devices(at: Situation) -> list[Row]:
    """Hold the accelerators that variants want against those that are here."""
    if at.project is None:
        return []
    needs = needs_of(at.project)
    rows: list[Row] = []
    if cuda := [need for need in needs if need.kind == "cuda"]:
        rows += _cuda(at, cuda)
    if rocm := [need for need in needs if need.kind == "rocm"]:
        rows.append(_rocm(at, rocm))
    if at.machine.system == "darwin" and at.machine.arch == "arm64":
        message = "Apple's GPU is here; Linux containers cannot use it, so images run on the CPU"
        rows.append(_row("MPS", "ok", message))
    return rows or [_row("GPU", "ok", "no variant wants one")]


def needs_of(project: Project) -> list[Need]:
    """Return what the variants' locked torch wants; nothing for those on the CPU alone."""
    found = (_need(project, variant) for variant in project.variants.values())
    return [need for need in found if need is not None]


def _need(project: Project, variant: Variant) -> Need | None:
    locks = list(_locks(project, variant.name))
    versions = (lock.version_of("torch") for lock in locks)
    torch = next((version for version in versions if version), "")
    match = _LOCAL.search(torch) or _BACKEND.fullmatch(variant.torch_backend or "")
    if match is not None:
        kind = "cuda" if match[1] == "cu" else "rocm"
        version = _dotted(match[2]) if kind == "cuda" else match[2]
        return Need(variant=variant.name, kind=kind, version=version, torch=torch)
    if "+cpu" in torch or variant.torch_backend == "cpu":
        return None
    # Wheels of the default index name their CUDA only by what they require.
    for lock in locks:
        for pin in lock.pins:
            if re.fullmatch(r"nvidia-cuda-runtime(-cu\d+)?", pin.name):
                version = ".".join(pin.version.split(".")[:2])
                return Need(variant=variant.name, kind="cuda", version=version, torch=torch)
    return None


def _locks(project: Project, variant: str) -> Iterator[Lock]:
    for key in project.lock_keys():
        if key.variant == variant:
            try:
                lock = find_lock(project, key)
            except VenvsmithError:  # the row of the locks tells it
                continue
            if lock is not None:
                yield lock


def _dotted(digits: str) -> str:
    """Return ``12.8`` for ``128``."""
    return digits if "." in digits else f"{digits[:-1]}.{digits[-1]}"


def _row(subject: str, status: Status, message: str, mend: str = "") -> Row:
    return Row(
        group="devices", check="device", subject=subject, status=status, message=message, mend=mend
    )


def _named(needs: list[Need]) -> str:
    noun = "variant" if len(needs) == 1 else "variants"
    return f"{noun} {', '.join(need.variant for need in needs)}"


def _cuda(at: Situation, needs: list[Need]) -> list[Row]:
    if at.machine.system == "darwin":
        message = f"no CUDA on a Mac: {_named(needs)} can be built here, not used"
        return [_row("CUDA", "warning", message)]
    places = [place for place in SMI_PLACES if at.machine.which(place) is not None]
    if not places:
        message = f"no NVIDIA driver here: {_named(needs)} can be built here, not used"
        return [_row("CUDA", "warning", message, "nothing, where another machine runs the images")]
    told = at.machine.run(places[0], *SMI[1:], seconds=SMI_SECONDS)
    if told.timed_out:
        return [_row("CUDA", "unknown", f"nvidia-smi did not answer in {SMI_SECONDS:g} s")]
    cards = [line.split(", ") for line in told.stdout.splitlines() if line.count(", ") == 2]  # noqa: PLR2004
    if not told.ok or not cards:
        why = (told.stderr or told.stdout).strip().partition("\n")[0]
        message = f"the driver does not answer: {why or 'nvidia-smi names no GPU'}"
        return [_row("CUDA", "missing", message, "reboot after an update of the driver")]
    rows = []
    for name, driver, capability in dict.fromkeys(map(tuple, cards)):
        rows += [_card(name, driver, capability, need) for need in needs]
    return rows + _containers(at)


def _card(name: str, driver: str, capability: str, need: Need) -> Row:
    """Judge one GPU for one variant."""
    told = f"{name}, driver {driver}, capability {capability}"
    subject = f"CUDA {need.version} ({need.variant})"
    least = least_driver(need.version)
    number = number_of(f"{driver}.0" if "." not in driver else driver)
    if least is not None and number is not None and number < Version(least):
        message = f"{told}: CUDA {need.version} needs driver {least} or later"
        mend = f"update the driver, or a torch-backend of an older CUDA for variant {need.variant}"
        return _row(subject, "wrong", message, mend)
    archs = kernels_of(need.torch, need.version)
    if archs and re.fullmatch(r"\d+\.\d+", capability) and not has_kernels(capability, archs):
        message = f"{told}: torch {need.torch} has no kernels for it, only for {_archs(archs)}"
        mend = f"another torch-backend for variant {need.variant}: a build that has them"
        return _row(subject, "wrong", message, mend)
    if least is None or not archs:
        what = f"torch {need.torch or '?'} with CUDA {need.version}"
        return _row(subject, "ok", f"{told}; no table here tells which GPUs {what} has kernels for")
    return _row(subject, "ok", told)


def _archs(archs: tuple[str, ...]) -> str:
    return ", ".join(arch.removeprefix("sm_") for arch in archs if arch.startswith("sm_"))


def _containers(at: Situation) -> list[Row]:
    """Tell whether docker can hand the GPU to a container; Docker Desktop brings it along."""
    engine = at.engine
    if engine.trouble or not at.engine.local or at.machine.system != "linux":
        return []
    if "Desktop" in engine.name or "nvidia" in engine.runtimes:
        return [_row("GPU in containers", "ok", "docker has the runtime")]
    if any(at.machine.which(name) for name in TOOLKIT):
        return [_row("GPU in containers", "ok", "the NVIDIA container toolkit is here")]
    mend = "install nvidia-container-toolkit, then: nvidia-ctk runtime configure"
    message = "docker cannot hand it on: the NVIDIA container toolkit is not here"
    return [_row("GPU in containers", "warning", message, mend)]


def _rocm(at: Situation, needs: list[Need]) -> Row:
    subject = f"ROCm {needs[0].version}".strip()
    if at.machine.system != "linux":
        return _row(subject, "warning", f"on Linux only: {_named(needs)} cannot be used here")
    if not at.machine.exists("/dev/kfd"):
        message = f"no AMD GPU with its driver here: {_named(needs)} can be built here, not used"
        return _row(subject, "warning", message, "nothing, where another machine runs the images")
    version = (at.machine.read("/sys/module/amdgpu/version") or "").strip()
    return _row(subject, "ok", f"/dev/kfd is here{f', amdgpu {version}' if version else ''}")
