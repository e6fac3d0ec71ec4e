"""Which distributions are heavy enough for a stage of their own, and where torch comes from.

The lists decide only how a first configuration is cut; nothing is refused by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

TORCH: Final[tuple[str, ...]] = (
    "torch",
    "torchaudio",
    "torchvision",
    "torchcodec",
    "torchtext",
    "torchdata",
)
OTHERS: Final[tuple[str, ...]] = (
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "jaxlib",
    "paddlepaddle",
    "mxnet",
)
# fmt: off
BRINGS_TORCH: Final = frozenset(
    {
        "accelerate", "bitsandbytes", "deepspeed", "demucs", "easyocr", "flash-attn", "julius",
        "kornia", "lightning", "nemo-toolkit", "open-clip-torch", "openai-whisper", "peft",
        "pyannote-audio", "pytorch-lightning", "pytorch-metric-learning", "sentence-transformers",
        "silero-vad", "speechbrain", "stable-ts", "timm", "torch-audiomentations", "torchmetrics",
        "ultralytics", "vllm", "whisperx", "xformers",
    }
)
"""Distributions that require torch themselves, without an extra: each resolved alone with uv for
Python 3.11 on 2026-11-21. transformers, diffusers, faster-whisper and funasr do not."""
# fmt: on
_BACKEND = re.compile(r"/whl/(?:nightly/)?(cpu|xpu|cu[0-9]{2,3}|rocm[0-9.]+)(?:/|$)")
_LOCAL = re.compile(r"\+(cpu|cu[0-9]{2,3}|rocm[0-9.]+)$")


def name_of(requirement: str) -> str:
    """Return the normalised name of a requirement; empty where it is none."""
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def backend_of_url(url: str) -> str | None:
    """Return the torch backend that the address of PyTorch's wheels names, such as ``cu128``."""
    match = _BACKEND.search(url)
    return match[1] if match else None


def backend_of(requirement: str) -> str | None:
    """Return the backend in a pin's local version, ``torch==2.8.0+cu128``."""
    if name_of(requirement) not in TORCH:
        return None
    for specifier in Requirement(requirement).specifier:
        if match := _LOCAL.search(specifier.version):
            return match[1]
    return None


def heavy_of(requirements: Iterable[str]) -> tuple[str, list[str]]:
    """Return the heavy stage's name and its distributions; both empty where nothing is heavy.

    torch stands there too where others bring it along.
    """
    names = [name_of(line) for line in requirements]
    torch = [name for name in TORCH if name in names]
    if torch or BRINGS_TORCH & set(names):
        return "torch", list(dict.fromkeys(["torch", *torch]))
    others: list[str] = [name for name in OTHERS if name in names]
    return (others[0], others) if others else ("", [])
