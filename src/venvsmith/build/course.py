"""The course of a build: plan, render, carry out, judge, record.

Which images are meant comes from the command line (`plans.select`), and progress goes back to it
through ``say``.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from venvsmith import engine
from venvsmith.build.context import refuse_missing
from venvsmith.build.docker import build_docker, engine_platform
from venvsmith.build.local import build_local
from venvsmith.build.ours import make_own_folder, sbom_path
from venvsmith.build.plans import make_plans, render_to_disk, rendered, with_those_below
from venvsmith.build.reproduce import AGAIN, build_twice, renamed
from venvsmith.build.trees import expected_trees, record_trees
from venvsmith.errors import UsageError
from venvsmith.files import write_files
from venvsmith.model.plan import LOCAL_BUILDS
from venvsmith.model.project import Image
from venvsmith.plan import WORK
from venvsmith.process import ended_by
from venvsmith.report.sbom import emit_sbom
from venvsmith.sandbox import find_sandbox
from venvsmith.together import together
from venvsmith.verify import Options, examine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from venvsmith.build.docker import DockerOptions
    from venvsmith.build.local import LocalBuild
    from venvsmith.build.reproduce import Unequal
    from venvsmith.model.facts import Facts
    from venvsmith.model.finding import Report
    from venvsmith.model.plan import Plan
    from venvsmith.model.project import Project

VERIFIERS = 4
"""Images that are judged at a time, at most: each may import torch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What one plan became.

    :param target: how `verify.examine` finds it, whatever else is built meanwhile.
    :param tag: what its user calls it; the target itself where empty.
    :param plan: what it was built from; None where its layers are not to be recorded.
    """

    target: str
    tag: str = ""
    plan: Plan | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What came of judging one image that was built.

    :param plan: what it was built from; None where its layers are not to be recorded.
    """

    facts: Facts
    report: Report
    plan: Plan | None


def build_images(
    project: Project,
    chosen: Collection[str],
    *,
    options: DockerOptions,
    template: Path | None,
    say: Callable[[str], None],
) -> list[Built]:
    """Render the project, and build the chosen images and those below them through BuildKit.

    To be called under `plans.holding_rendered`.

    :param chosen: names of plans.
    :param template: the user's template; the one that the configuration names where None.
    :return: what was built into the local engine; nothing where it was pushed.
    :raises UsageError: where none is for this engine, or a file that they read is not there.
    :raises JudgedError: where a lock has drifted, or a step fails.
    :raises SurroundingsError: where the engine is the reason.
    """
    here = engine_platform()
    plans = _rendered(project, chosen, here=here, options=options, template=template, say=say)
    bake_file = project.root / project.output / "docker-bake.json"
    made = build_docker(project, plans, bake_file=bake_file, here=here, options=options, say=say)
    return [
        Built(target=f"docker:{made[plan.name]}", tag=plan.tags[0], plan=plan)
        for plan in plans
        if plan.name in made
    ]


def build_images_twice(
    project: Project,
    chosen: Collection[str],
    *,
    options: DockerOptions,
    template: Path | None,
    say: Callable[[str], None],
) -> tuple[list[Plan], tuple[Unequal, ...]]:
    """Build as `build_images` does, twice from nothing; return the plans and the unequal layers.

    :raises VenvsmithError: as `build_images` does.
    """
    here = engine_platform()
    plans = _rendered(project, chosen, here=here, options=options, template=template, say=say)
    again = renamed(make_plans(project, work=WORK + AGAIN))
    changes = rendered(project, again, template=template)
    names = {plan.name for plan in plans}
    unequal = build_twice(
        project,
        plans,
        [plan for plan in again if plan.name in names],
        files={
            path.relative_to(project.root).as_posix(): data
            for path, data in changes.items()
            if data is not None
        },
        here=here,
        options=options,
        say=say,
    )
    return plans, unequal


def build_here(
    project: Project,
    chosen: Collection[str],
    *,
    ca_bundle: Path | None,
    say: Callable[[str], None],
) -> list[LocalBuild]:
    """Carry out the chosen plans with the local engine, where they are for this machine.

    :raises UsageError: where none is, or a file that they read is not there.
    :raises JudgedError: where a lock has drifted, or a step fails.
    :raises SurroundingsError: where the machine lacks what a plan needs.
    """
    sandbox = find_sandbox()
    if sandbox is None:
        say("no sandbox works here: the venv's final path will not be rehearsed")
    folders = {name: project.root / LOCAL_BUILDS / name for name in sorted(chosen)}
    plans = []
    for name, folder in folders.items():
        work, prefix = (str(folder / "work"), str(folder / "root")) if not sandbox else (None, "")
        (plan,) = make_plans(project, flat=True, only={name}, work=work, prefix=prefix)
        if platform.machine() in {own.machine for own in plan.platforms}:
            plans.append(plan)
        else:
            say(f"left out {name}: it is for {' and '.join(map(str, plan.platforms))}")
    refuse_missing(project, plans)
    done = []
    make_own_folder(project.root)
    for plan in plans:
        built = build_local(
            plan,
            project=project,
            folder=folders[plan.name],
            sandbox=sandbox,
            uv_cache=_uv_cache(),
            say=say,
            ca_bundle=ca_bundle,
        )
        for package in built.missing_packages:
            say(f"warning: the system package {package} is not installed on this machine")
        say(f"built {built.root}")
        done.append(built)
    if not done:
        raise UsageError(
            f"nothing to build on this machine, which is {platform.machine()}",
            hint="other platforms need --engine docker",
        )
    return done


def build_stage_here(
    project: Project, stage: str, variant: str, *, say: Callable[[str], None]
) -> Path:
    """Build the venv of one stage with the local engine; return its folder.

    :raises VenvsmithError: as `build_here` does.
    """
    image = Image(name="bundle-hooks", venvs={project.venv: stage}, variants=(variant,))
    alone = replace(project, images={image.name: image})
    (built,) = build_here(alone, {f"{image.name}.{variant}"}, ca_bundle=None, say=say)
    return built.root / project.venv.lstrip("/")


def judge_built(project: Project, built: Sequence[Built]) -> list[Judged]:
    """Judge what was built against the manifests that it carries, in the given order.

    Several at a time: most of the time each one waits for its container. Where a plan is known,
    the layers are held against those of the last build, too.

    :raises VenvsmithError: what `verify.examine` raises, for the first that fails.
    """
    interrupted = Event()

    def judge(one: Built) -> Judged:
        expectations = expected_trees(project, one.plan) if one.plan is not None else ()
        options = Options(project=project.root, shown=one.tag)
        with ended_by(interrupted):
            facts, report = examine(one.target, expectations=expectations, options=options)
        return Judged(facts=facts, report=report, plan=one.plan)

    return together(
        [partial(judge, one) for one in built],
        workers=min(VERIFIERS, os.cpu_count() or 1),
        stop=interrupted,
    )


def tell_moved(judged: Judged, *, say: Callable[[str], None]) -> None:
    """Tell where a tag stands for another image by now than for the one that was built."""
    if judged.plan is None:
        return
    tag = judged.plan.tags[0]
    done = engine.ask("image", "inspect", "-f", "{{.Id}}", tag)
    if done.returncode or done.text.strip() != judged.facts.target.digest:
        say(f"warning: {tag} stands for another image by now: another build has taken the tag")


def record_built(project: Project, judged: Judged, *, say: Callable[[str], None]) -> None:
    """Write what an image holds, and record its layers where they are not other ones than before.

    The first is a list of components with the hashes of its locks, below the output folder.
    """
    if judged.plan is None:
        return
    pins = [pin for venv in judged.plan.venvs for layer in venv.layers for pin in layer.pins]
    path = sbom_path(project, judged.plan.name)
    if write_files({path: emit_sbom(judged.facts, pins).encode()}):
        say(f"wrote {path.relative_to(project.root)}")
    if not any(finding.rule == "tree-differs" for finding in judged.report.findings):
        record_trees(project, judged.plan, judged.facts)


def _rendered(
    project: Project,
    chosen: Collection[str],
    *,
    here: str,
    options: DockerOptions,
    template: Path | None,
    say: Callable[[str], None],
) -> list[Plan]:
    """Render the whole project; return the plans to build on this engine."""
    every = make_plans(project)
    chosen = with_those_below(every, chosen)
    plans = []
    for plan in every:
        if plan.name in chosen:
            wanted = list(map(str, plan.platforms))
            if here in wanted or options.push or options.builder:
                plans.append(plan)
            else:
                told = " and ".join(wanted)
                say(f"left out {plan.name}: it is for {told}, the engine is {here}")
    refuse_missing(project, plans)
    for path in sorted(render_to_disk(project, every, template=template)):
        say(f"rendered {path.relative_to(project.root)}")
    if not plans:
        raise UsageError(
            f"nothing to build on this engine, which is {here}",
            hint="--builder names a builder for another platform",
        )
    return plans


def _uv_cache() -> Path:
    """Return uv's cache on this machine, as uv itself finds it."""
    if "UV_CACHE_DIR" in os.environ:
        return Path(os.environ["UV_CACHE_DIR"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "uv"
