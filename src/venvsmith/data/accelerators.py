"""What GPUs and drivers PyTorch's wheels run on, as a table with sources."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@cache
def _table() -> Mapping[str, Any]:
    file = resources.files("venvsmith.data").joinpath("accelerators.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def least_driver(cuda: str) -> str | None:
    """Return the oldest driver for a CUDA release, None where the table does not know it.

    :param cuda: ``12.8``.
    """
    major = cuda.partition(".")[0]
    rows = (str(row["least"]) for row in _table()["driver"] if row["cuda"] == major)
    return next(rows, None)


def kernels_of(torch: str, cuda: str) -> tuple[str, ...]:
    """Return the architectures of a torch wheel's kernels; empty where the table has none.

    :param torch: a version; its local part does not matter.
    :param cuda: the CUDA release that it was built with, ``12.8``.
    """
    try:
        release = Version(torch).base_version
    except InvalidVersion:
        return ()
    for row in _table()["kernels"]:
        if row["cuda"] == cuda and SpecifierSet(row["torch"]).contains(release):
            return tuple(row["archs"])
    return ()


def has_kernels(device: str, archs: Sequence[str]) -> bool:
    """Tell whether kernels that run on a device are among those of some architectures.

    Binaries (``sm_90``) run on the same major from their minor on; PTX (``compute_90``) is
    compiled for every newer device: CUDA C++ Programming Guide, 5.1 "Compute Capabilities".

    :param device: its compute capability, ``9.0``.
    """
    major, minor = (int(part) for part in device.split(".")[:2])
    for arch in archs:
        kind, _, digits = arch.partition("_")
        plain = digits.rstrip("abcdefghijklmnopqrstuvwxyz")
        if not plain.isdigit():
            continue
        has = (int(plain[:-1]), int(plain[-1]))
        if kind == "compute" and has <= (major, minor):
            return True
        exact = digits != plain
        if kind == "sm" and has[0] == major and (has[1] == minor or (has[1] < minor and not exact)):
            return True
    return False
