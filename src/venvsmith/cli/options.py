"""Arguments and options that several commands share, and what is meant by them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from venvsmith.cli import complete
from venvsmith.errors import UsageError

if TYPE_CHECKING:
    from venvsmith.model.project import Project

_Command = TypeVar("_Command", bound=Callable[..., Any])

TIMEOUT = 600.0
"""Seconds that running things takes at most, where nobody says otherwise."""

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
static_option = click.option("--static", is_flag=True, help="Run nothing; read files only.")
output_option = click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write it there instead of printing it.",
)  # fmt: skip


def text_or_json(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option for what a command prints: ``form``, ``text`` or ``json``."""
    return click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
        help=help_text,
    )  # fmt: skip


def timeout_option(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option for how long running things may take: ``timeout``, in seconds.

    It refuses ``nan`` and ``inf``, too, with a `UsageError`.
    """
    return click.option(
        "--timeout", type=click.FloatRange(min=1), default=TIMEOUT, show_default=True, metavar="S",
        callback=_seconds, help=help_text,
    )  # fmt: skip


def imports_option(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option for modules to import: ``imports``, each once.

    It refuses, with a `UsageError`, what the configuration refuses as a module's name.
    """
    return click.option(
        "--import", "imports", multiple=True, metavar="MODULE", callback=_modules, help=help_text
    )


def commands_option(help_text: str) -> Callable[[_Command], _Command]:
    """Return the option for commands to run: ``commands``, each once and split into its words.

    It refuses, with a `UsageError`, what a shell could not split, and what is empty.
    """
    return click.option(
        "--command", "commands", multiple=True, metavar="CMD", callback=_commands, help=help_text
    )


def _seconds(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise UsageError(f"expected a number of seconds, got {value}", where="--timeout")
    return value


def _modules(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> Any:
    if names:
        from venvsmith.config.formats import MODULE  # noqa: PLC0415 - `--help` must not pay

        problems: list[tuple[str, str]] = []
        for name in names:
            MODULE.read(name, "--import", problems)
        for where, problem in problems[:1]:
            raise UsageError(problem, where=where)
    return tuple(dict.fromkeys(names))


def _commands(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> Any:
    return tuple(dict.fromkeys(map(_words, texts)))


def _words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as exc:
        message = f"{text} cannot be split into words: {exc}"
        raise UsageError(message, where="--command") from exc
    if not words:
        raise UsageError("the command is empty", where="--command")
    return words


def variant_of(project: Project, stage: str, variant: str | None) -> str:
    """Return the variant of a stage that is meant: the one that is named, or the only one.

    :raises UsageError: where there is no such stage or variant, or the stage has several and none
        is named.
    """
    if stage not in project.stages:
        known = ", ".join(project.stages)
        raise UsageError(f"there is no stage '{stage}'", hint=f"one of {known}")
    variants = project.stages[stage].variants
    if variant is None and len(variants) == 1:
        return variants[0]
    if variant is None or variant not in variants:
        said = f"no variant '{variant}'" if variant else "several variants"
        hint = f"--variant {' or '.join(variants)}"
        raise UsageError(f"stage '{stage}' has {said}", where="--variant", hint=hint)
    return variant
