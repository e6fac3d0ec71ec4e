"""`venvsmith render`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual
from venvsmith.cli.options import images_option, template_option, variants_option

if TYPE_CHECKING:
    from venvsmith.cli.main import Shared
    from venvsmith.model.project import Project

SHOWN = 3
"""Files that are named where they are out of step."""


@click.command("render", cls=Manual)
@images_option
@variants_option
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where something would change.")
@click.option("--stdout", is_flag=True, help="Print the Dockerfiles instead of writing anything.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write below this folder of the project; otherwise the configured one, else docker/.",
)  # fmt: skip
@template_option
@click.option(
    "--recut", is_flag=True,
    help="Cut the layers anew by the sizes of today, instead of keeping them as they are.",
)  # fmt: skip
@click.pass_obj
def command(
    shared: Shared,
    *,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    output: Path | None,
    recut: bool,
    check: bool,
    stdout: bool,
    template: Path | None,
) -> int:
    """Write Dockerfiles, a bake file and the layers' pins.

    What is written depends on the configuration and the locks alone and needs no venvsmith: plain
    `docker build` and `docker buildx bake` read it. Commit it, so that a change of what is built
    can be reviewed. Each layer reads its own pins only, so a new version rebuilds what it touches.
    """
    from venvsmith.build import plans as plans_  # noqa: PLC0415 - `--help` must not pay for it
    from venvsmith.errors import UsageError  # noqa: PLC0415
    from venvsmith.files import write_files  # noqa: PLC0415

    if stdout and check:
        message = "--check judges what is written, so it goes with no --stdout"
        raise UsageError(message, where="render", hint="leave one of them out")
    project = shared.project()
    chosen = plans_.select(project, images=images, variants=variants)
    keep = project.output
    if output is not None:
        project = plans_.in_folder(project, output)
    click.get_current_context().with_resource(plans_.holding_rendered(project))
    plans = plans_.make_plans(project, recut=recut, keep=keep)
    if stdout:
        for plan in plans:
            if plan.name in chosen:
                files = plans_.rendered(project, [plan], template=template)
                click.echo(_dockerfile(project, files, plan.name))
        return 0
    changes = plans_.rendered(project, plans, template=template)
    left = {f"{project.output}/Dockerfile.{plan.name}" for plan in plans if plan.name not in chosen}
    changes = {
        path: data
        for path, data in changes.items()
        if str(path.relative_to(project.root)).removesuffix(".dockerignore") not in left
    }
    if check:
        return _check(shared, project, changes)
    changed = write_files(changes)
    for path in sorted(changed):
        verb = "removed" if changes[path] is None else "wrote"
        shared.say(f"{verb} {_shown(path, project)}")
    if not changed:
        shared.say("render: everything is in step already")
    return 0


def _check(shared: Shared, project: Project, changes: dict[Path, bytes | None]) -> int:
    from venvsmith.build.plans import stale  # noqa: PLC0415
    from venvsmith.errors import JudgedError  # noqa: PLC0415

    names = [_shown(path, project) for path in stale(changes)]
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise JudgedError(
            f"out of step with the configuration: {', '.join(names[:SHOWN])}{more}",
            hint="run 'venvsmith render'",
            code="render-drift",
        )
    shared.say(f"render: {len(changes)} files are in step")
    return 0


def _dockerfile(project: Project, changes: dict[Path, bytes | None], name: str) -> str:
    data = changes[project.root / project.output / f"Dockerfile.{name}"]
    return (data or b"").decode()


def _shown(path: Path, project: Project) -> str:
    return path.relative_to(project.root).as_posix()
