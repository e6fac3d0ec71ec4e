"""``venvsmith graph``: what the configuration is made of, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from venvsmith.cli.main import Shared


@click.command("graph", epilog="Example: venvsmith graph --format json")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(shared: Shared, *, form: str) -> None:
    """Show stages below what they extend, images below what they build on, and their sizes.

    Counts and sizes come from the lockfiles and need no network; what is not locked yet is shown
    without them.
    """
    from venvsmith.lock import lock_path, read_lock, read_sizes  # noqa: PLC0415 - lazy command
    from venvsmith.render.graph import graph_json, graph_text, project_graph  # noqa: PLC0415

    project = shared.project()
    locks = {
        key: read_lock(project, key)
        for key in project.lock_keys()
        if lock_path(project, key).is_file()
    }
    graph = project_graph(project, locks, read_sizes(project))
    click.echo(graph_json(graph) if form == "json" else graph_text(graph), nl=False)
