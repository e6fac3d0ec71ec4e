"""Which build of torch is installed: told from its version's local part and its files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from venvsmith.model.facts import Distribution
    from venvsmith.rules.framework.view import View

Build = Literal["cpu", "cuda", "rocm", ""]
FAMILY = ("torch", "torchaudio", "torchvision", "torchcodec")
LOCAL = re.compile(r"\+(cpu|cu\d+|rocm[\d.]*|xpu)")


def build_of(dist: Distribution) -> Build:
    """Return the build that a version's local part names, empty where it names none."""
    match = LOCAL.search(dist.version)
    if match is None:
        return ""
    return "cpu" if match[1] == "cpu" else "rocm" if match[1].startswith("rocm") else "cuda"


def torch_build(view: View) -> Build:
    """Return the build of the installed torch, by its name and otherwise by its libraries."""
    dist = view.by_name.get("torch")
    if dist is None:
        return ""
    said = build_of(dist)
    if said:
        return said
    names = {e.path.rpartition("/")[2] for e in view.env.elves if "/torch/lib/" in e.path}
    if not names:
        return ""
    if any(name.startswith("libtorch_hip") for name in names):
        return "rocm"
    return "cuda" if "libtorch_cuda.so" in names else "cpu"
