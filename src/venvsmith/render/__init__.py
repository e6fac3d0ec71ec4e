"""Plans as files for BuildKit: Dockerfiles, a bake file, allow-lists and the layers' pins.

Pure: `render_project` returns what to write; the command writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.plan.assignments import emit_assignments
from venvsmith.render.bake import emit_bake, emit_dockerignore, secret_specs, target_name
from venvsmith.render.dockerfile import emit_dockerfile
from venvsmith.render.template import UserTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvsmith.model.plan import Plan
    from venvsmith.model.project import Project

__all__ = [
    "LAYERS_PATH",
    "UserTemplate",
    "dockerfile_path",
    "render_project",
    "secret_specs",
    "target_name",
]

LAYERS_PATH = "deltas/layers.json"
"""Where the record of layers lies, below the output folder; no build step reads it."""


def dockerfile_path(project: Project, plan: Plan) -> str:
    """Return where a plan's Dockerfile lies, relative to the project's root."""
    return f"{project.output}/Dockerfile.{plan.name}"


def render_project(
    project: Project,
    plans: Sequence[Plan],
    *,
    pins: Mapping[str, str],
    template: UserTemplate | None = None,
) -> dict[str, bytes]:
    """Return all files of the given plans: project-relative path to content.

    :param pins: base images to digests.
    :param template: the user's own template of Dockerfiles.
    :raises UsageError: where that is wrong.
    """
    files: dict[str, bytes] = {}
    dockerfiles: dict[str, str] = {}
    for plan in plans:
        path = dockerfile_path(project, plan)
        dockerfiles[plan.name] = path
        text = emit_dockerfile(
            plan, path=path, config=project.file.name, pins=pins, template=template
        )
        files[path] = text.encode()
        files[f"{path}.dockerignore"] = emit_dockerignore(plan).encode()
        files.update(plan.files)
    files[f"{project.output}/{LAYERS_PATH}"] = emit_assignments(plans).encode()
    bake = emit_bake(plans, dockerfiles=dockerfiles, build=project.build)
    files[f"{project.output}/docker-bake.json"] = bake.encode()
    return files
