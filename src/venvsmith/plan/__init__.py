"""From a project and its locks to a plan: what building one image does, step by step.

Pure: nothing here reads a file or starts a program.
"""

from __future__ import annotations

from collections.abc import Mapping

from venvsmith.config import tags_of
from venvsmith.errors import ConfigError
from venvsmith.lock.bases import uv_image
from venvsmith.model.lock import Lock
from venvsmith.model.plan import Plan
from venvsmith.model.project import LockKey, Project
from venvsmith.plan import families
from venvsmith.plan.layers import Layering
from venvsmith.plan.planner import Assets, Planner, venv_manifest
from venvsmith.plan.source import Source
from venvsmith.plan.steps import EPOCH, Steps

__all__ = ["EPOCH", "WORK", "Assets", "Source", "plan_image", "venv_manifest"]

WORK = "/venvsmith"
"""Where a build keeps its own things; nothing of it reaches the image."""


def plan_image(
    project: Project,
    locks: Mapping[LockKey, Lock],
    assets: Assets,
    *,
    image: str,
    variant: str,
    work: str = WORK,
    prefix: str = "",
    flat: bool = False,
    layering: Layering | None = None,
) -> Plan:
    """Plan one image in one variant.

    :param locks: at least those of the image's stages and their ancestors, in this variant.
    :param work: where the build keeps its own things.
    :param prefix: put before each venv's path, for a build that cannot have the final path.
    :param layering: sizes of wheels, and the cut that is in use.
    :param flat: plan an image that builds on another one as if it stood on its base directly.
    :raises ConfigError: where the installer cannot do what the variant asks for.
    """
    _refuse_backend(project, variant)
    base = project.bases[project.variants[variant].base]
    steps = Steps(
        project=project,
        image=(families.flattened if flat else families.on_top)(project, image, variant),
        variant=project.variants[variant],
        base=base,
        work=work,
        prefix=prefix,
        wheels=assets.wheels,
        below=None if flat else families.below(project, image, variant),
        uv_image=uv_image(base, assets.tools),
    )
    planner = Planner(
        steps=steps, locks=locks, layering=layering or Layering(), sources=assets.sources
    )
    venvs = tuple(planner.venv(path, stage) for path, stage in steps.image.venvs.items())
    stages = tuple(planner.stages(venvs))
    context = {mount.source for stage in stages for mount in stage.context}
    context |= {mount.source for stage in stages for step in stage.steps for mount in step.mounts}
    files = planner.files(venvs, assets)
    return Plan(
        image=image,
        variant=variant,
        platforms=planner.platforms,
        python=project.python,
        work=work,
        tags=tags_of(steps.image, variant),
        venvs=venvs,
        stages=stages,
        settings=planner.settings(venvs),
        files={path: data for path, data in files.items() if path in context},
        context=tuple(sorted(context)),
        below=steps.below.ref if steps.below else None,
    )


def _refuse_backend(project: Project, variant: str) -> None:
    """Refuse a torch backend that the installer cannot ask, before anything is written."""
    if project.variants[variant].torch_backend is not None and project.installer == "pip":
        key = f"variants.{variant}.torch-backend"
        text = 'pip knows no torch backends: set project.installer = "uv", or route torch'
        raise ConfigError(
            [(key, f"{text} and what comes with it to an index of [indexes]")],
            file=project.file.name,
        )
