"""Files that a source names: in any words, of which some can name no file."""

from __future__ import annotations

import os
from pathlib import Path


def inside(path: Path, root: Path) -> str | None:
    """Return a path relative to the configuration's folder, None where it lies elsewhere."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError):
        return None


def exists(path: Path) -> bool:
    """Tell whether something lies at a path."""
    return os.path.exists(path)  # noqa: PTH110 - Path's raises for a name that is too long


def is_file(path: Path) -> bool:
    """Tell whether a file lies at a path."""
    return os.path.isfile(path)  # noqa: PTH113 - Path's raises for a name that is too long
