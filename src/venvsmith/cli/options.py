"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from venvsmith.cli import complete

images_option = click.argument(
    "images", metavar="[IMAGE]...", nargs=-1, shell_complete=complete.images
)
variants_option = click.option(
    "--variant", "variants", metavar="V", multiple=True, shell_complete=complete.variants,
    help="Only this variant; may be repeated.",
)  # fmt: skip
template_option = click.option(
    "--template",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Jinja template that extends the Dockerfiles; instead of the configured one.",
)
