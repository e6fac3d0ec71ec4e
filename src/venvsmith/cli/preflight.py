"""`venvsmith preflight`."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual
from venvsmith.cli.options import text_or_json

if TYPE_CHECKING:
    from venvsmith.cli.main import Shared
    from venvsmith.model.project import Project
    from venvsmith.preflight import Preflight

STYLES: dict[str, dict[str, object]] = {
    "ok": {"fg": "green"},
    "warning": {"fg": "yellow", "bold": True},
    "missing": {"fg": "red", "bold": True},
    "wrong": {"fg": "red", "bold": True},
    "unknown": {"fg": "cyan"},
    "title": {"bold": True},
    "mend": {"dim": True},
}
WIDEST = 100


@click.command("preflight", cls=Manual)
@click.option("--probe", is_flag=True, help="Ask services whether they accept tokens and logins.")
@text_or_json("json: for programs; docs/preflight.md has its keys.")
@click.pass_obj
def command(shared: Shared, *, form: str, probe: bool) -> int:
    """Tell whether this machine is ready to lock, build, run and push.

    Looks at the configuration, locks, programs, engine, base images, disk, logins, tokens and
    devices, and tells for each thing that is missing or wrong the line that mends it. It pulls
    nothing and takes seconds: what does not answer in time is told as unknown.
    """
    from venvsmith.preflight import BUDGET, PROBE_BUDGET, preflight  # noqa: PLC0415 - lazy command
    from venvsmith.preflight.machine import ThisMachine  # noqa: PLC0415

    def load() -> Project:
        return shared.project()

    machine = ThisMachine(seconds=PROBE_BUDGET if probe else BUDGET)
    file = shared.config.name if shared.config is not None else "venvsmith.toml"
    try:
        found = preflight(machine, load, file=file, probe=probe)
    finally:
        machine.close()
    _show(shared, found, form)
    return found.exit_code


def _show(shared: Shared, found: Preflight, form: str) -> None:
    if form == "json":
        from venvsmith.preflight.schema import as_json  # noqa: PLC0415

        click.echo(as_json(found), nl=False)
        return
    from venvsmith.preflight.table import plain, table  # noqa: PLC0415

    terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, WIDEST) if terminal else 80
    lines = table(found, width=width)
    if not shared.use_color():
        click.echo(plain(lines), nl=False)
        return
    for line in lines:
        styled = (
            click.style(text, **STYLES[style]) if style in STYLES else text  # type: ignore[arg-type]
            for text, style in line
        )
        click.echo("".join(styled), color=True)
