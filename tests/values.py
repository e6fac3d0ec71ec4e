"""Projects, locks and plans made of values: nothing is read, resolved or built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from venvsmith.model.lock import Lock, Pin
from venvsmith.model.plan import Plan
from venvsmith.model.project import (
    Base,
    CopyFile,
    Image,
    LockKey,
    Platform,
    Project,
    Stage,
    Variant,
)
from venvsmith.plan import WORK, Assets, Source, plan_image

AMD64 = Platform(arch="amd64")
ARM64 = Platform(arch="arm64")
ASSETS = Assets(
    steps={
        name: name.encode()
        for name in (
            "apt.sh", "apt-source.sh", "python.sh", "user.sh", "capture.sh", "interpreter.sh",
            "normalise.py", "rehearse.py", "source.py", "versions.py", "index.py",
        )
    },
    tools=(Pin(name="uv", version="1", hashes=("sha256:" + "a" * 64,)),),
    pip_wheel=b"wheel",
)  # fmt: skip


def pin(name: str, version: str = "1.0") -> Pin:
    return Pin(name=name, version=version, hashes=(f"sha256:{name.encode().hex():0<64.64}",))


def project(*, image: dict[str, Any] | None = None, **changes: Any) -> Project:
    """A project of two stages; `image` and `changes` replace fields of its image and its own."""
    stages = {
        "torch": Stage(name="torch", requires=("torch",), imports=("torch",), variants=("cuda",)),
        "asr": Stage(
            name="asr",
            extends="torch",
            requires=("whisperx",),
            imports=("whisperx.asr",),
            commands=(("whisperx", "--help"),),
            apt=("ffmpeg",),
            variants=("cuda",),
        ),
    }
    asr = Image(
        name="asr",
        venvs={"/venv": "asr"},
        variants=("cuda",),
        user=1001,
        workdir="/app",
        copy=(CopyFile(source="config", to="/app/config"),),
        writable=("/cache",),
        entrypoint=("whisperx",),
    )
    made = Project(
        name="family",
        root=Path("/project"),
        file=Path("/project/venvsmith.toml"),
        python="3.11",
        bases={"slim": Base(name="slim", build="python:3.11", runtime="python:3.11-slim")},
        variants={"cuda": Variant(name="cuda", base="slim", platforms=(AMD64,))},
        stages=stages,
        images={"asr": replace(asr, **(image or {}))},
    )
    return replace(made, **changes)


def for_two(of: Project) -> Project:
    """The same project for two platforms."""
    variant = replace(of.variants["cuda"], platforms=(AMD64, ARM64))
    return replace(of, variants={"cuda": variant})


def locks(of: Project) -> dict[LockKey, Lock]:
    torch = tuple(pin(name) for name in ("numpy", "nvidia-cudnn-cu12", "torch", "triton"))
    pins = {"torch": torch, "asr": tuple(sorted((*torch, pin("ctranslate2"), pin("whisperx"))))}
    # CUDA's libraries are not there for arm64.
    return {
        key: Lock(
            key=key,
            resolver="uv 1",
            inputs="sha256:0",
            pins=tuple(
                pin
                for pin in pins[key.stage]
                if key.platform == AMD64 or not pin.name.startswith("nvidia")
            ),
        )
        for key in of.lock_keys()
    }


def plan(
    of: Project | None = None,
    *,
    image: str = "asr",
    flat: bool = False,
    work: str = WORK,
    prefix: str = "",
) -> Plan:
    of = of or project()
    sources = {
        name: Source(name=f"own-{name}", version="1", build_pins=(pin("hatchling"),))
        for name, stage in of.stages.items()
        if stage.source is not None
    }
    return plan_image(
        of,
        locks(of),
        replace(ASSETS, sources=sources),
        image=image,
        variant="cuda",
        flat=flat,
        work=work,
        prefix=prefix,
    )
