"""`venvsmith push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual
from venvsmith.cli.options import images_option, text_or_json, variants_option

if TYPE_CHECKING:
    from venvsmith.cli.main import Shared


@click.command("push", cls=Manual)
@images_option
@variants_option
@click.option(
    "--env-file", type=click.Path(path_type=Path), metavar="FILE",
    help="A file with REGISTRY_USERNAME and REGISTRY_PASSWORD; otherwise docker's own login.",
)  # fmt: skip
@text_or_json("Of the summary.")
@click.pass_obj
def command(
    shared: Shared,
    *,
    images: tuple[str, ...],
    variants: tuple[str, ...],
    env_file: Path | None,
    form: str,
) -> None:
    """Push what was built: all content first, then the tags.

    Each image is pushed under those of its tags that name a registry or, for Docker Hub, an
    account. The content of all images goes first, under tags of its own; the real tags move when
    all of it is there. What failed midway is gone on with by the next run, and what is there is
    not sent again. Several platforms under one tag are for 'venvsmith build --push'.
    """
    from venvsmith.build import plans as plans_  # noqa: PLC0415 - `--help` must not pay
    from venvsmith.plan.pushable import pushable  # noqa: PLC0415
    from venvsmith.push import PushError, gather, push_family  # noqa: PLC0415
    from venvsmith.push.summary import summary_json, summary_text  # noqa: PLC0415

    project = shared.project()
    chosen = plans_.select(project, images=images, variants=variants)
    plans = plans_.make_plans(project, only=chosen)
    shipments = gather(pushable(plans, say=shared.say))
    summary = push_family(shipments, env_file=env_file, say=shared.say)
    click.echo(summary_json(summary) if form == "json" else summary_text(summary), nl=False)
    if summary.errors:
        raise PushError(summary.errors)
