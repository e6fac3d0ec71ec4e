"""`venvsmith build`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual
from venvsmith.cli.options import images_option, template_option, variants_option

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from venvsmith.build.docker import DockerOptions
    from venvsmith.build.local import LocalBuild
    from venvsmith.cli.main import Shared
    from venvsmith.model.facts import Facts
    from venvsmith.model.finding import Report
    from venvsmith.model.plan import Plan
    from venvsmith.model.project import Project

VERIFIERS = 4
"""Images that are verified at a time, at most: each may import torch."""


@click.command("build", cls=Manual)
@images_option
@variants_option
@click.option(
    "--engine", type=click.Choice(["docker", "local"]), default="docker", show_default=True,
    help="BuildKit through docker buildx, or this machine itself without any daemon.",
)  # fmt: skip
@click.option("--builder", metavar="B", help="The buildx builder to use; see `docker buildx ls`.")
@click.option("--push", is_flag=True, help="Push, instead of loading into the local engine.")
@click.option("--no-verify", is_flag=True, help="Do not verify what was built.")
@click.option("--no-cache", is_flag=True, help="Take nothing from earlier builds.")
@click.option(
    "--ca-bundle", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
    help="Certificates of a proxy; mounted as a build secret, left in no layer.",
)  # fmt: skip
@template_option
@click.option(
    "--check-reproducible", is_flag=True,
    help="Build twice from nothing and name the first byte that differs, if one does.",
)  # fmt: skip
@click.pass_obj
def command(
    shared: Shared,
    *,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    engine: str,
    builder: str | None,
    ca_bundle: Path | None,
    push: bool,
    no_cache: bool,
    check_reproducible: bool,
    template: Path | None,
    no_verify: bool,
) -> int:
    """Build images through BuildKit, or on this machine without a daemon.

    Each image is rendered, built together with the images that it stands on, tried as its own
    user without a network, loaded into the engine and verified. With --engine local the same plan
    is carried out on this machine, with this machine's own Python of the same minor in place of
    the base image; it leaves a root folder for each image.
    """
    from venvsmith.build.docker import DockerOptions  # noqa: PLC0415 - `--help` must not pay

    if check_reproducible and (push or engine == "local"):
        from venvsmith.errors import UsageError  # noqa: PLC0415

        other = "--push" if push else "--engine local"
        message = f"it builds into the docker engine, so it does not go with {other}"
        raise UsageError(message, where="--check-reproducible", hint=f"leave out {other}")
    project = shared.project()
    plans: dict[str, Plan] = {}
    if engine == "local":
        if template is not None or project.template is not None:
            shared.say("the local engine carries out the plan; what the template adds is left out")
        targets = _local(shared, project, images=images, variants=variants, ca_bundle=ca_bundle)
    else:
        options = DockerOptions(builder=builder, ca_bundle=ca_bundle, push=push, no_cache=no_cache)
        if check_reproducible:
            _check(
                shared, project, images=images, variants=variants, options=options,
                template=template,
            )  # fmt: skip
            return 0
        plans = _docker(
            shared, project, images=images, variants=variants, options=options, template=template
        )
        targets = list(plans)
    if no_verify or push:
        return 0
    return _verify(shared, project, targets, plans)


def _docker(
    shared: Shared,
    project: Project,
    *,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    options: DockerOptions,
    template: Path | None,
) -> dict[str, Plan]:
    """Build through BuildKit; return what to verify, and the plan of each."""
    from venvsmith.build import plans as plans_  # noqa: PLC0415
    from venvsmith.build.docker import build_docker, engine_platform  # noqa: PLC0415
    from venvsmith.errors import UsageError  # noqa: PLC0415

    click.get_current_context().with_resource(plans_.holding_rendered(project, make=True))
    here = engine_platform()
    chosen = plans_.select(project, images=images, variants=variants)
    every = plans_.make_plans(project)
    chosen = plans_.with_those_below(every, chosen)
    for path in sorted(plans_.render_to_disk(project, every, template=template)):
        shared.say(f"rendered {path.relative_to(project.root)}")
    plans = []
    for plan in every:
        if plan.name in chosen:
            wanted = [str(platform) for platform in plan.platforms]
            if here in wanted or options.push or options.builder:
                plans.append(plan)
            else:
                told = " and ".join(wanted)
                shared.say(f"left out {plan.name}: it is for {told}, the engine is {here}")
    if not plans:
        raise UsageError(
            f"nothing to build on this engine, which is {here}",
            hint="--builder names a builder for another platform",
        )
    build_docker(
        project,
        plans,
        bake_file=project.root / project.output / "docker-bake.json",
        here=here,
        options=options,
        say=shared.say,
    )
    return {f"docker:{plan.tags[0]}": plan for plan in plans}


def _local(
    shared: Shared,
    project: Project,
    *,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    ca_bundle: Path | None,
) -> list[str]:
    """Carry the plans out here; return what to verify."""
    import platform  # noqa: PLC0415

    from venvsmith.build import plans as plans_  # noqa: PLC0415
    from venvsmith.errors import UsageError  # noqa: PLC0415

    chosen = plans_.select(project, images=images, variants=variants)
    built = build_here(shared, project, chosen, ca_bundle=ca_bundle)
    if not built:
        raise UsageError(
            f"nothing to build on this machine, which is {platform.machine()}",
            hint="other platforms need --engine docker",
        )
    return [f"rootfs:{one.root}" for one in built]


def build_here(
    shared: Shared, project: Project, chosen: Collection[str], *, ca_bundle: Path | None
) -> list[LocalBuild]:
    """Carry out the named plans with the local engine, where they are for this machine."""
    import platform  # noqa: PLC0415

    from venvsmith.build import plans as plans_  # noqa: PLC0415
    from venvsmith.build.local import build_local  # noqa: PLC0415
    from venvsmith.sandbox import find_sandbox  # noqa: PLC0415

    sandbox = find_sandbox()
    done = []
    for name in sorted(chosen):
        folder = project.root / ".venvsmith" / "local" / name
        if sandbox is None:
            shared.say("no sandbox works here: the venv's final path will not be rehearsed")
        work, prefix = (str(folder / "work"), str(folder / "root")) if not sandbox else (None, "")
        (plan,) = plans_.make_plans(project, flat=True, only={name}, work=work, prefix=prefix)
        if platform.machine() not in {own.machine for own in plan.platforms}:
            shared.say(f"left out {name}: it is for {' and '.join(map(str, plan.platforms))}")
            continue
        built = build_local(
            plan,
            project=project,
            folder=folder,
            sandbox=sandbox,
            uv_cache=_uv_cache(),
            say=shared.say,
            ca_bundle=ca_bundle,
        )
        _tell(shared, built)
        done.append(built)
    return done


def _check(
    shared: Shared,
    project: Project,
    *,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    options: DockerOptions,
    template: Path | None,
) -> None:
    """Build twice and hold the layers against each other.

    :raises JudgedError: code ``unreproducible``: which layers differ, and where first.
    """
    from venvsmith.build import plans as plans_  # noqa: PLC0415
    from venvsmith.build.docker import engine_platform  # noqa: PLC0415
    from venvsmith.build.reproduce import AGAIN, build_twice, renamed  # noqa: PLC0415
    from venvsmith.errors import JudgedError  # noqa: PLC0415
    from venvsmith.plan import WORK  # noqa: PLC0415

    here = engine_platform()
    every = plans_.make_plans(project)
    chosen = plans_.with_those_below(
        every, plans_.select(project, images=images, variants=variants)
    )
    plans_.render_to_disk(project, every, template=template)
    again = renamed(plans_.make_plans(project, work=WORK + AGAIN))
    changes = plans_.rendered(project, again, template=template)
    unequal = build_twice(
        project,
        [plan for plan in every if plan.name in chosen],
        [plan for plan in again if plan.name in chosen],
        files={
            path.relative_to(project.root).as_posix(): data
            for path, data in changes.items()
            if data is not None
        },
        here=here,
        options=options,
        say=shared.say,
    )
    for layer in unequal[1:]:
        click.echo(str(layer))
    if unequal:
        more = f" (and {len(unequal) - 1} more layers)" if unequal[1:] else ""
        raise JudgedError(
            f"built twice, and not the same: {unequal[0]}{more}",
            hint="see 'Why it happens' in 'venvsmith explain tree-differs'",
            code="unreproducible",
        )
    click.echo(f"{len(chosen)} images built twice: all layers are the same")


def _tell(shared: Shared, built: LocalBuild) -> None:
    for name in built.missing_packages:
        shared.say(f"warning: the system package {name} is not installed on this machine")
    shared.say(f"built {built.root}")


def _verify(shared: Shared, project: Project, targets: list[str], plans: Mapping[str, Plan]) -> int:
    """Judge what was built against the manifests that it carries; return the worst exit code.

    Several at a time, told in order: most of the time each one waits for its container. The
    layers of an image are held against the last build's, and recorded.
    """
    from collections import Counter  # noqa: PLC0415
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415
    from threading import Event  # noqa: PLC0415

    from venvsmith.build.trees import expected_trees, record_trees  # noqa: PLC0415
    from venvsmith.process import ended_by  # noqa: PLC0415
    from venvsmith.report import render  # noqa: PLC0415
    from venvsmith.verify import examine, exit_code  # noqa: PLC0415

    interrupted = Event()

    def judge(target: str) -> tuple[Facts, Report]:
        plan = plans.get(target)
        with ended_by(interrupted):
            return examine(target, expectations=expected_trees(project, plan) if plan else ())

    codes: list[int] = []
    verdicts: Counter[str] = Counter()
    with ThreadPoolExecutor(min(VERIFIERS, os.cpu_count() or 1)) as pool:
        try:
            judged = list(zip(targets, pool.map(judge, targets), strict=True))
        except BaseException:
            # One failure, or an interrupt, ends the run: the others are not waited for.
            interrupted.set()
            pool.shutdown(cancel_futures=True)
            raise
    for target, (facts, report) in judged:
        click.echo(render(report, "text", color=shared.use_color(), width=80), nl=False)
        codes.append(exit_code(report))
        verdicts[report.verdict] += 1
        if target in plans:
            _write_sbom(shared, project, plans[target], facts)
        if target in plans and not any(f.rule == "tree-differs" for f in report.findings):
            record_trees(project, plans[target], facts)
    if targets[1:]:
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        shared.say(f"verified {len(targets)} images: {told}")
    return max(codes, default=0)


def _write_sbom(shared: Shared, project: Project, plan: Plan, facts: Facts) -> None:
    """Write what an image holds, with the hashes of its locks, below the output folder."""
    from venvsmith.files import write_files  # noqa: PLC0415
    from venvsmith.report.sbom import emit_sbom  # noqa: PLC0415

    pins = [pin for venv in plan.venvs for layer in venv.layers for pin in layer.pins]
    path = project.root / project.output / "sbom" / f"{plan.name}.cdx.json"
    if write_files({path: emit_sbom(facts, pins).encode()}):
        shared.say(f"wrote {path.relative_to(project.root)}")


def _uv_cache() -> Path:
    """Return uv's cache on this machine, as uv itself finds it."""
    if "UV_CACHE_DIR" in os.environ:
        return Path(os.environ["UV_CACHE_DIR"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "uv"
