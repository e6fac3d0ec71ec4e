"""``venvsmith graph``: what the configuration is made of, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual
from venvsmith.cli.options import text_or_json

if TYPE_CHECKING:
    from venvsmith.cli.main import Shared


@click.command("graph", cls=Manual)
@text_or_json("json: for programs; docs/graph.md has its keys.")
@click.pass_obj
def command(shared: Shared, *, form: str) -> None:
    """Show stages, variants, images and sizes as a tree.

    Stages stand below what they extend, with how many packages each lock holds and how large
    their wheels are; then the images, their venvs, and what each builds on. Nothing is built and
    no network is needed.
    """
    from venvsmith.lock import lock_path, read_lock, read_sizes  # noqa: PLC0415 - lazy command
    from venvsmith.report.graph import graph_json, graph_text, project_graph  # noqa: PLC0415

    project = shared.project()
    locks = {
        key: read_lock(project, key)
        for key in project.lock_keys()
        if lock_path(project, key).is_file()
    }
    graph = project_graph(project, locks, read_sizes(project))
    click.echo(graph_json(graph) if form == "json" else graph_text(graph), nl=False)
