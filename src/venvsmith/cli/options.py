"""Arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from venvsmith.cli import complete

_Command = TypeVar("_Command", bound=Callable[..., Any])

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


def text_or_json(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option for what a command prints: ``form``, ``text`` or ``json``."""
    return click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
        help=help_text,
    )  # fmt: skip
