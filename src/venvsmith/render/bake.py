"""A family of plans as a bake file, and the allow-list of each one's build context."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from venvsmith.config import fill
from venvsmith.model.plan import NETWORK_SECRETS
from venvsmith.render import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvsmith.model.plan import ImageRef, Plan
    from venvsmith.model.project import BuildSettings


def target_name(plan: Plan | ImageRef) -> str:
    """Return the bake target of a plan; bake allows no dots, images and variants no underscores."""
    return f"{plan.image}_{plan.variant}"


def emit_bake(
    plans: Sequence[Plan], *, dockerfiles: Mapping[str, str], build: BuildSettings
) -> str:
    """Return ``docker-bake.json``.

    Paths in it are relative to the project's root, which is where bake is to be started.

    :param dockerfiles: plan name to the path of its Dockerfile.
    """
    targets = {target_name(plan): _target(plan, dockerfiles[plan.name], build) for plan in plans}
    document = quote.bake({"group": _groups(plans), "target": targets})
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def emit_dockerignore(plan: Plan) -> str:
    """Return the allow-list of what a build may read of the project.

    The last line that fits decides: a project's own folders come first, then what of them never
    belongs into a build, then the files that are needed even so.
    """
    mounts = [mount for step in plan.steps for mount in step.mounts if mount.exclude]
    folders = {mount.source: mount.exclude for mount in mounts}
    lines = ["# What this build reads; everything else stays out of the context."]
    if "." not in folders:
        lines.append("*")
    lines += [quote.ignore_pattern(path) for path in folders if path != "."]
    for folder, excluded in folders.items():
        before = "" if folder == "." else f"{folder}/"
        lines += [f"{before}{pattern}" for pattern in excluded]
    lines += [quote.ignore_pattern(path) for path in plan.context if path not in folders]
    return "\n".join(lines) + "\n"


def secret_specs(plan: Plan) -> list[str]:
    """Return how bake finds the secrets of a plan: in variables of the same names.

    Those that a machine brings (certificates, a mirror) are not the project's to list.
    """
    names = dict.fromkeys(name for step in plan.steps for name in step.secrets)
    return [f"type=env,id={name},env={name}" for name in names if name not in NETWORK_SECRETS]


def _groups(plans: Sequence[Plan]) -> dict[str, dict[str, list[str]]]:
    """Return all targets as ``default``, those of each variant, and those of each image.

    An image that is called as a variant, or ``default``, has no group: its targets have names.
    """
    groups = {"default": sorted(target_name(plan) for plan in plans)}
    variants = {plan.variant for plan in plans} - set(groups)
    for variant in variants:
        groups[variant] = sorted(target_name(p) for p in plans if p.variant == variant)
    for image in {plan.image for plan in plans} - set(groups):
        groups[image] = sorted(target_name(p) for p in plans if p.image == image)
    return {name: {"targets": targets} for name, targets in groups.items()}


def _caches(plan: Plan, templates: Sequence[str]) -> list[str]:
    """Return caches with ``{image}``, ``{stage}`` and ``{variant}`` filled in."""
    stage = plan.venvs[0].stage
    return [fill(text, image=plan.image, stage=stage, variant=plan.variant) for text in templates]


def _labels(plan: Plan) -> dict[str, str]:
    """Return the labels that bake leaves as they are: its own win over the Dockerfile's."""
    labels = plan.settings.labels.items()
    return {name: text for name, text in labels if all(map(quote.kept_by_bake, (name, text)))}


def _target(plan: Plan, dockerfile: str, build: BuildSettings) -> dict[str, object]:
    target: dict[str, object] = {
        "context": ".",
        "dockerfile": dockerfile,
        "target": "final",
        "platforms": [str(platform) for platform in plan.platforms],
        "tags": list(plan.tags),
        "labels": _labels(plan),
    }
    if plan.below is not None:
        target["contexts"] = {plan.below.tag: f"target:{target_name(plan.below)}"}
    if build.cache_from:
        target["cache-from"] = _caches(plan, build.cache_from)
    if build.cache_to:
        target["cache-to"] = _caches(plan, build.cache_to)
    secrets = secret_specs(plan)
    if secrets:
        target["secret"] = secrets
    return target
