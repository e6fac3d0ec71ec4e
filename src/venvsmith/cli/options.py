"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

images_option = click.argument("images", metavar="[IMAGE]...", nargs=-1)
variants_option = click.option(
    "--variant", "variants", metavar="V", multiple=True, help="Only this variant; may be repeated."
)
template_option = click.option(
    "--template",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Jinja template that extends the Dockerfiles; instead of the configured one.",
)
