"""The steps that bring into a base what it lacks: system packages, and a Python of uv's own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from venvsmith.model.plan import BuildStage, CopyTree, Mount, Step
from venvsmith.model.project import Platform
from venvsmith.plan.steps import EPOCH, Steps

PYTHONS = "/opt/python"
"""Where uv's own Python lies in an image."""
MIRRORS = ("UV_PYTHON_DOWNLOADS_JSON_URL", "UV_PYTHON_INSTALL_MIRROR")
"""Settings of uv for machines that cannot reach where its Pythons come from; read as secrets."""


def apt(steps: Steps, where: str, packages: Sequence[str]) -> Step:
    """Install system packages, from the base's own repositories and the configured ones.

    :param where: the base, for the step's name: ``build`` or ``runtime``.
    """
    lines: list[str] = []
    mounts = [steps.script("apt.sh")]
    for number, source in enumerate(steps.base.apt_sources):
        key = source.key or ""
        if key and "://" not in key:
            seen = f"{steps.work}/in/apt-key-{number}"
            mounts.append(Mount(source=key, target=seen))
            key = seen
        words = [
            f"bases.{steps.base.name}.apt-sources[{number}]",
            *(source.uri, source.suite, " ".join(source.components), source.key_sha256, key),
        ]
        lines.append(f"sh {steps.work}/in/apt-source.sh {shlex.join(words)}")
    if lines:
        mounts.append(steps.script("apt-source.sh"))
    return Step(
        id=f"apt:{where}",
        kind="apt",
        title=f"System packages of the {where} base.",
        run=(*lines, f"sh {steps.work}/in/apt.sh {shlex.join(packages)}"),
        mounts=tuple(mounts),
        network=True,
        secrets=("ca",),
        packages=tuple(packages),
    )


def python_tree(steps: Steps, platform: Platform | None = None) -> CopyTree:
    """Return what an image takes over as its Python: one of uv's own.

    :param platform: where the builder's own is not the image's.
    """
    name = "python" if platform is None else f"python-{platform.arch}"
    return CopyTree(stage=name, path=f"{steps.work}/{name}")


def python_stages(steps: Steps, *, native: bool) -> list[BuildStage]:
    """Return the stages that bring uv's own Python, which the venv is built with and runs on.

    :param native: whether the build runs on the builder's platform for several others. Each of
        those then gets a Python too, of which nothing runs here.
    """
    minor = steps.project.python
    own = python_tree(steps)
    uv = f"{steps.work}/uv/uv"
    stages = [
        BuildStage(name="uv", parent=steps.uv_image, parent_is_image=True, native=native),
        BuildStage(
            name="python",
            parent=steps.base.build,
            parent_is_image=True,
            as_root=True,
            native=native,
            title="A Python of uv's own, for bases that have none.",
            copies=(CopyTree(stage="uv", path="/uv", to=uv),),
            steps=(_python(steps, own, request=minor, python=f"{PYTHONS}/{minor}"),),
        ),
    ]
    for platform in steps.variant.platforms if native else ():
        tree = python_tree(steps, platform)
        request = f"cpython-{minor}-linux-{platform.machine}-gnu"
        step = _python(steps, tree, request=request, python=f"{own.path}{PYTHONS}/{minor}")
        stages.append(
            BuildStage(name=tree.stage, parent="python", steps=(step,), platform=platform)
        )
    return stages


def _python(steps: Steps, tree: CopyTree, *, request: str, python: str) -> Step:
    """Install a Python and make a tree of it that is the same bytes everywhere.

    :param request: which one, as ``uv python install`` takes it.
    :param python: prefix of the one that runs here.
    """
    minor = steps.project.python
    folder = f"{steps.work}/in"
    normalise = f"{folder}/normalise.py {tree.path} {EPOCH} {PYTHONS}"
    mirrors = tuple(name for name in steps.project.build.secrets if name in MIRRORS)
    return Step(
        id=f"python:{tree.stage}",
        kind="python",
        title=f"Python {minor} below {PYTHONS}, readable for every user.",
        run=(
            f"sh {folder}/python.sh {steps.work}/uv/uv {request} {minor} {tree.path}",
            f"{python}/bin/python{minor} -I -S -B {normalise}",
        ),
        mounts=(steps.script("python.sh"), steps.script("normalise.py")),
        network=True,
        secrets=("ca", *mirrors),
    )
