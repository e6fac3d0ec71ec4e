"""`--help` in the form of a man page: what click knows of a command, and its page from `pages`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDEST_TERM = 26
"""Columns; a longer term stands on a line of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What a command's page says besides its synopsis, its description and its options.

    All but the examples are pairs: a term, and what it means in a phrase.
    """

    arguments: Sequence[tuple[str, str]] = ()
    files: Sequence[tuple[str, str]] = ()
    variables: Sequence[tuple[str, str]] = ()
    exits: Sequence[tuple[int, str]] = ()
    """Only the exit codes that mean something of their own for this command."""
    examples: Sequence[tuple[str, str]] = ()
    """Pairs: what it is for, and the command line."""


class Manual(click.Command):
    """A command whose page is found in `pages` by its words after the program's name.

    The synopsis is the docstring's first line, the description the rest of it.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters; `-q` and `-v` are taken behind a command's name as before it."""
        params = super().get_params(ctx)
        return params if ctx.parent is None else [*params, *map(_verbosity, (-1, 1))]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description, and what the arguments may be."""
        super().format_help_text(ctx, formatter)
        _definitions(formatter, "Arguments", _page(ctx).arguments)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what comes after the options."""
        page = _page(ctx)
        exits = [(str(code), meaning) for code, meaning in page.exits]
        if ctx.parent is not None:
            exits.append(("other", "as 'venvsmith --help' says"))
        _definitions(formatter, "Files", page.files)
        _definitions(formatter, "Environment", page.variables)
        _definitions(formatter, "Exit codes", exits)
        with formatter.section("Examples"):
            for number, (purpose, line) in enumerate(page.examples):
                if number:
                    formatter.write_paragraph()
                formatter.write_text(purpose if purpose.endswith("?") else f"{purpose}:")
                formatter.write(f"{'':{formatter.current_indent + 2}}$ {line}\n")


class ManualGroup(Manual, click.Group):
    """A group with such a page."""


def _verbosity(step: int) -> click.Option:
    """Return an option that changes how much the command says; the first page tells of it."""

    def change(ctx: click.Context, _: click.Parameter, given: bool) -> None:  # noqa: FBT001
        if given and ctx.obj is not None:
            ctx.obj = replace(ctx.obj, verbosity=ctx.obj.verbosity + step)

    names = ("-v", "--verbose") if step > 0 else ("-q", "--quiet")
    return click.Option(names, is_flag=True, expose_value=False, hidden=True, callback=change)


def _page(ctx: click.Context) -> Page:
    from venvsmith.cli.pages import PAGES  # noqa: PLC0415 - only `--help` reads them

    return PAGES[ctx.command_path.partition(" ")[2]]


def _definitions(
    formatter: click.HelpFormatter, title: str, pairs: Sequence[tuple[str, str]]
) -> None:
    if pairs:
        with formatter.section(title):
            formatter.write_dl(list(pairs), col_max=WIDEST_TERM)
