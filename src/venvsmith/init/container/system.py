"""Commands of a RUN that install system packages: for Python, building, fetching, or for use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from venvsmith.config.formats import APT_PACKAGE
from venvsmith.dockerfile.expand import has_unknown
from venvsmith.dockerfile.packages import packages as named
from venvsmith.dockerfile.replay import Step
from venvsmith.dockerfile.starts import STARTS
from venvsmith.init.container.scene import Command, Scene
from venvsmith.init.sketch import refusal

# fmt: off
_BUILD_PACKAGES: Final = re.compile(
    r".*-dev|build-essential|gcc(-.*)?|g\+\+(-.*)?|cmake|make|ninja-build|pkg-config|pkgconf|"
    r"rustc|cargo|clang(-.*)?|llvm(-.*)?|gfortran|automake|autoconf|libtool|patchelf|swig|nasm|"
    r"cython3?|binutils"
)
# fmt: on
_PYTHON_PACKAGES: Final = re.compile(
    r"python(3(\.\d+)?)?(-(pip|venv|distutils|setuptools|wheel|full|minimal|dev|virtualenv|lib2to3"
    r"|tk))?|python-is-python3|pipx|libpython3.*"
)
_FETCHING: Final = frozenset(
    {"git", "curl", "wget", "gnupg", "gnupg2", "software-properties-common", "apt-transport-https",
     "lsb-release", "unzip", "zip", "xz-utils", "bzip2", "ca-certificates-java", "dirmngr", "jq"}
)  # fmt: skip


def packages(scene: Scene, step: Step, command: Command, program: str) -> None:
    """Take apt-get and its like."""
    names = [
        p.name for p in named([step]) if p.manager == program and p.name in _bare(command.argv)
    ]
    if not names:
        if "upgrade" in command.argv or "dist-upgrade" in command.argv:
            why = "an upgrade is another one every day"
            scene.note("base", command.line, command.text, why, "take a newer base image")
        else:
            scene.enter(
                command.line, command.text, "replaced", "build updates the lists and removes them"
            )
        return
    if program not in {"apt", "apt-get"}:
        why = f"{program}'s packages are not Debian's"
        todo = f"find these in Debian and add them to apt: {', '.join(names)}"
        scene.note("stage", command.line, command.text, why, todo)
        return
    if not scene.is_final(step):
        scene.enter(
            command.line, command.text, "replaced", "of a build stage; only wheels are installed"
        )
        _tell_build_packages(scene, command, [n for n in names if _BUILD_PACKAGES.fullmatch(n)])
        return
    _runtime_packages(scene, command, names)


def _bare(argv: Sequence[str]) -> set[str]:
    return {re.split(r"[=<>~@:]", word)[0] for word in argv}


def _tell_build_packages(scene: Scene, command: Command, names: Sequence[str]) -> None:
    if names:
        scene.sketch.note(
            "stage",
            f"{scene.shown}:{command.line}",
            f"apt: {', '.join(names)}",
            "they are for building, and only wheels are installed",
            "what has no wheel goes under project.no-wheel, on a base that has them",
        )


def _runtime_packages(scene: Scene, command: Command, names: Sequence[str]) -> None:
    """Divide what the image installs: for Python, for building, for fetching, for use."""
    building = [n for n in names if _BUILD_PACKAGES.fullmatch(n)]
    python = [n for n in names if _PYTHON_PACKAGES.fullmatch(n) and n not in building]
    fetching = [n for n in names if n in _FETCHING and not _starts_with(scene, n)]
    wrong = [n for n in names if has_unknown(n) or refusal(APT_PACKAGE, n) is not None]
    left = {*building, *python, *fetching, *wrong}
    pinned = {word.partition("=")[0]: word for word in command.argv if "=" in word}
    kept = [pinned.get(n, n) for n in names if n not in left]
    kept = [n for n in kept if refusal(APT_PACKAGE, n) is None]
    if kept and command.conditional:
        why = "installed under a condition there, and always here"
        scene.sketch.note(
            "stage", f"{scene.shown}:{command.line}", command.text, why, "compare apt"
        )
    scene.sketch.apt += [n for n in dict.fromkeys(kept) if n not in scene.sketch.apt]
    _tell_build_packages(scene, command, building)
    if fetching:
        scene.sketch.note(
            "stage",
            f"{scene.shown}:{command.line}",
            f"apt: {', '.join(fetching)}",
            "these fetch things while an image is built; nothing that starts it names them",
            "add to apt what your program calls itself",
        )
    if wrong:
        scene.sketch.note(
            "stage", f"{scene.shown}:{command.line}", f"apt: {', '.join(wrong)}",
            "no names of Debian packages", "add them to apt by name",
        )  # fmt: skip
    how = "apt" if kept else "bases.python" if python else "told"
    scene.enter(command.line, command.text, "carried" if kept or python else "noted", how)


def _starts_with(scene: Scene, program: str) -> bool:
    """Tell whether how the image starts, or checks itself, names a program."""
    return any(
        program in step.instruction.args
        for step in scene.reading.final_steps
        if step.instruction.keyword in STARTS
    )
