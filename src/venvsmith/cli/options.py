"""Arguments that several commands share."""

from __future__ import annotations

import click

images_option = click.argument("images", metavar="[IMAGE]...", nargs=-1)
variants_option = click.option(
    "--variant", "variants", metavar="V", multiple=True, help="Only this variant; may be repeated."
)
