"""`venvsmith build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual
from venvsmith.cli.options import images_option, template_option, variants_option

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from venvsmith.build.course import Built
    from venvsmith.build.docker import DockerOptions
    from venvsmith.cli.main import Shared
    from venvsmith.model.project import Project


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
    from venvsmith.build import course  # noqa: PLC0415 - `--help` must not pay
    from venvsmith.build.docker import DockerOptions  # noqa: PLC0415
    from venvsmith.build.plans import holding_rendered, select  # noqa: PLC0415

    _refuse_contradictions(
        engine=engine,
        docker_only={
            "--check-reproducible": check_reproducible,
            "--builder": builder is not None,
            "--push": push,
            "--no-cache": no_cache,
        },
    )
    project = shared.project()
    chosen = select(project, images=images, variants=variants)
    if engine == "local":
        if template is not None or project.template is not None:
            shared.say("the local engine carries out the plan; what the template adds is left out")
        here = course.build_here(project, chosen, ca_bundle=ca_bundle, say=shared.say)
        built = [course.Built(target=f"rootfs:{one.root}") for one in here]
    else:
        click.get_current_context().with_resource(holding_rendered(project, make=True))
        options = DockerOptions(builder=builder, ca_bundle=ca_bundle, push=push, no_cache=no_cache)
        if check_reproducible:
            _check(shared, project, chosen, options=options, template=template)
            return 0
        built = course.build_images(
            project, chosen, options=options, template=template, say=shared.say
        )
    if no_verify or push:
        return 0
    return _verify(shared, project, built)


def _refuse_contradictions(*, engine: str, docker_only: Mapping[str, bool]) -> None:
    """Refuse options that would be passed over.

    :param docker_only: options that the local engine does not have, and whether they are given.
    """
    from venvsmith.errors import UsageError  # noqa: PLC0415

    given = [option for option, asked in docker_only.items() if asked]
    if engine == "local" and given:
        message = "it is BuildKit's, so it does not go with --engine local"
        raise UsageError(message, where=given[0], hint="leave out one of them")
    if {"--check-reproducible", "--push"} <= set(given):
        message = "it builds into the docker engine, so it does not go with --push"
        raise UsageError(message, where="--check-reproducible", hint="leave out --push")


def _check(
    shared: Shared,
    project: Project,
    chosen: Collection[str],
    *,
    options: DockerOptions,
    template: Path | None,
) -> None:
    """Build twice and tell which layers differ.

    :raises JudgedError: code ``unreproducible``: which layers differ, and where first.
    """
    from venvsmith.build.course import build_images_twice  # noqa: PLC0415
    from venvsmith.errors import JudgedError  # noqa: PLC0415

    plans, unequal = build_images_twice(
        project, chosen, options=options, template=template, say=shared.say
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
    click.echo(f"{len(plans)} images built twice: all layers are the same")


def _verify(shared: Shared, project: Project, built: Sequence[Built]) -> int:
    """Judge what was built, tell it in that order; return the worst exit code."""
    from collections import Counter  # noqa: PLC0415

    from venvsmith.build.course import judge_built, record_built, tell_moved  # noqa: PLC0415
    from venvsmith.report import render  # noqa: PLC0415
    from venvsmith.verify import exit_code  # noqa: PLC0415

    judged = judge_built(project, built)
    for one in judged:
        click.echo(render(one.report, "text", color=shared.use_color(), width=80), nl=False)
        record_built(project, one, say=shared.say)
        tell_moved(one, say=shared.say)
    if judged[1:]:
        verdicts = Counter(one.report.verdict for one in judged)
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        shared.say(f"verified {len(judged)} images: {told}")
    return max(exit_code(one.report) for one in judged)
