"""A bake that failed, told in one sentence of the configuration's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.build.failures import step_failure
from venvsmith.engine.faults import ABSENT, registry_error
from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.files import full_disk
from venvsmith.lock.bases import uv_image
from venvsmith.lock.store import find_tools
from venvsmith.network import redact_urls
from venvsmith.render import target_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.errors import VenvsmithError
    from venvsmith.model.plan import Plan, Step
    from venvsmith.model.project import Project

# ` > [whisperx_cuda layer-torch-cuda 1/1] RUN …:` opens BuildKit's account of a failed step; with
# one target in the bake its name is left out.
_FAILED = re.compile(r"^\s*> \[(?:(?P<target>[\w-]+) )?(?P<stage>[\w-]+) +\d+/\d+\] (?P<line>.*)")
_GONE = ("code = Unavailable", "Cannot connect to the Docker daemon", "connection reset by peer")
_ERROR = re.compile(r"#(\d+) ERROR: ")
_OUTPUT = re.compile(r"^(?:#\d+ )?\d+\.\d+ (.*)")
_BASE = re.compile(
    r"failed to solve: (?P<image>\S+): (?:failed to resolve source metadata for \S+: )?(?P<why>.*)"
)
_NO_CACHE = re.compile(r"cache export (feature )?is (currently )?not supported", re.IGNORECASE)
_TOO_LONG = "received message larger than max"


def bake_failure(project: Project, plans: Sequence[Plan], lines: Sequence[str]) -> VenvsmithError:
    """Return the error for a bake that failed, by the lines of BuildKit's plain progress.

    A failed step, a base image that nobody has and a setting that the builder cannot meet are the
    project's to mend; all else is the engine's or the network's.
    """
    for number, line in enumerate(lines):
        if found := _FAILED.match(line):
            plan = next((p for p in plans if target_name(p) == found["target"]), plans[0])
            step = _step_of(plan, found["stage"], found["line"])
            told = _said(lines[:number]) or [m[1] for m in map(_OUTPUT.match, lines[number:]) if m]
            return step_failure(plan, step, told or lines[-3:], indexes=project.indexes.values())
    last = next((line for line in reversed(lines) if line.startswith("ERROR")), "")
    text = last.removeprefix("ERROR: ") or " | ".join(line for line in lines[-3:] if line)
    if (full := full_disk(text, hint="free some space and build again")) is not None:
        return full
    if any(word in text for word in _GONE):
        return SurroundingsError(
            f"the engine went away: {text}",
            hint="start it and build again; what was finished is kept",
            code="engine-failed",
        )
    return (
        _of_base(project, text)
        or _of_settings(plans, text)
        or SurroundingsError(
            f"BuildKit gave up: {text}",
            hint="see the lines above; 'docker buildx ls' shows whether the builder runs",
            code="engine-failed",
        )
    )


def _of_base(project: Project, text: str) -> VenvsmithError | None:
    """Return the error for a base image that cannot be fetched, where that is the reason."""
    if (found := _BASE.match(text)) is None:
        return None
    image, _, digest = found["image"].partition("@")
    place = next((key for key, name in _bases(project) if name.partition("@")[0] == image), None)
    if place is None:
        return None
    if not ABSENT.search(found["why"]) and "repository does not exist" not in found["why"]:
        return registry_error(found["why"], where=place, doing="pull")[0]
    if digest and image in {name for _, name in _bases(project)}:
        return UsageError(
            f"{image} is nowhere to be had by the digest that is locked, {digest}",
            where=place,
            hint="'venvsmith lock --upgrade' takes what the tag stands for now",
            code="no-base",
        )
    why = found["why"].removeprefix(f"{found['image']}: ")
    return UsageError(
        f"{found['image']} is neither here nor to be had: {redact_urls(why)}",
        where=place,
        hint="'docker login' to its registry, where it is private; or write another image there",
        code="no-base",
    )


def _bases(project: Project) -> list[tuple[str, str]]:
    """Return the images that builds stand on, each with its key in the configuration."""
    found = []
    for base in project.bases.values():
        key = f"bases.{base.name}"
        if base.build == base.runtime:
            found.append((f"{key}.image", base.build))
        found += [(f"{key}.build", base.build), (f"{key}.runtime", base.runtime)]
        if base.python == "uv":
            found.append((f"{key}.uv-image", uv_image(base, find_tools(project) or ())))
    return found


def _of_settings(plans: Sequence[Plan], text: str) -> VenvsmithError | None:
    """Return the error for what this builder, or any, cannot do for this configuration."""
    if _NO_CACHE.search(text):
        return UsageError(
            "the engine's own builder writes caches only with the containerd image store",
            where="build.cache-to",
            hint="turn that store on, or build with another one: 'docker buildx create', --builder",
            code="cache-unsupported",
        )
    if _TOO_LONG in text:
        depth, top = max((_depth(plans, plan), plan.image) for plan in plans)
        return UsageError(
            f"{depth} images stand on each other, and BuildKit cannot carry so long a description",
            where=f"images.{top}.from",
            hint="take out some 'from': images share the layers of their stages without it, too",
            code="chain-too-long",
        )
    return None


def _depth(plans: Sequence[Plan], plan: Plan) -> int:
    """Return how many images stand on each other up to this one, itself among them."""
    named = {each.name: each for each in plans}
    depth, below = 1, plan.below
    while below is not None and below.name in named:
        depth, below = depth + 1, named[below.name].below
    return depth


def _said(lines: Sequence[str]) -> list[str]:
    """Return all that the failed step printed: BuildKit's own account ends with ten lines of it."""
    failed = [m[1] for m in map(_ERROR.match, lines) if m]
    found = (re.match(rf"#{failed[0]} \d+\.\d+ (.*)", line) for line in lines if failed)
    return [m[1] for m in found if m]


def _step_of(plan: Plan, stage_name: str, line: str) -> Step | None:
    stage = next((s for s in plan.stages if s.name == stage_name), None)
    if stage is None or not stage.steps:
        return None
    return next((s for s in stage.steps if s.run[0][:40] in line), stage.steps[0])
