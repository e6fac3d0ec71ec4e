"""What GPUs and drivers PyTorch's wheels run on, as a table with sources."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Mapping


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
