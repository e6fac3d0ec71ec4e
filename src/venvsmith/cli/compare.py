"""``venvsmith compare``: what differs between two environments, and what explains a failure."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from venvsmith.cli import complete
from venvsmith.cli.manual import Manual
from venvsmith.cli.options import (
    commands_option,
    imports_option,
    output_option,
    static_option,
    text_or_json,
    timeout_option,
)

if TYPE_CHECKING:
    from venvsmith.cli.main import Shared
    from venvsmith.compare import Snapshot
    from venvsmith.verify import Options


@click.command("compare", cls=Manual)
@click.argument("a", metavar="A", shell_complete=complete.targets)
@click.argument("b", metavar="B", shell_complete=complete.targets)
@imports_option("Import it on both sides; may be repeated.")
@commands_option("Run it on both sides; may be repeated. APP starts a frozen application.")
@static_option
@timeout_option(
    "Seconds for all that runs in one target: each run may take what is left, less a little for "
    "those that come after it."
)
@text_or_json("Of what is told.")
@output_option
@click.pass_obj
def command(
    shared: Shared,
    /,
    *,
    a: str,
    b: str,
    imports: tuple[str, ...],
    commands: tuple[tuple[str, ...], ...],
    static: bool,
    form: Literal["text", "json"],
    output: Path | None,
    timeout: float,
) -> int:
    """Tell what differs between two targets, and which difference explains a failure.

    A and B are targets as 'venvsmith verify' takes them, or reports that it saved; of reports,
    Python, packages and findings are compared. Of a target with several environments, the one in
    use is compared. As with diff, the exit code tells whether they differ.
    """
    from venvsmith.compare import compare  # noqa: PLC0415 - lazy command
    from venvsmith.model.expected import Expected  # noqa: PLC0415
    from venvsmith.report.comparison import render_comparison  # noqa: PLC0415
    from venvsmith.verify import Options  # noqa: PLC0415

    asked = Expected(imports=imports, commands=commands)
    home = shared.home() if _folder(a, "rootfs") or _folder(b, "rootfs") else None
    options = Options(asked=asked, static=static, timeout=timeout, project=home)
    bundles = [ref for ref in (a, b) if _folder(ref, "bundle")]
    left, right = (
        _snapshot(shared, ref, options, is_bundle=ref in bundles or not bundles) for ref in (a, b)
    )
    if bundles:
        left, right = _frozen(left, right, a, b)
    comparison = compare(left, right)
    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    text = render_comparison(comparison, form, width=width)
    if output is None:
        click.echo(text, nl=False)
    else:
        from venvsmith.files import write_output  # noqa: PLC0415

        write_output(output, text.encode())
        shared.say(f"{'same' if comparison.same else 'differ'}: {output}")
    return 0 if comparison.same else 1


def _folder(ref: str, kind: str) -> Path | None:
    """Return the path of a target of some kind; None for any other."""
    from venvsmith.target import kind_of  # noqa: PLC0415 - lazy command

    if Path(ref).is_file():
        return None
    found, rest = kind_of(ref)
    return Path(rest) if found == kind else None


def _frozen(left: Snapshot, right: Snapshot, a: str, b: str) -> tuple[Snapshot, Snapshot]:
    """Compare what the packages of a bundle hold, module by module and file by file."""
    from venvsmith.bundle.inventory import Inventory, beside, of_bundle  # noqa: PLC0415 - lazy
    from venvsmith.compare import holding  # noqa: PLC0415

    sides: dict[str, Inventory] = {
        ref: of_bundle(path) for ref in (a, b) if (path := _folder(ref, "bundle"))
    }
    findings = (*left.findings, *right.findings)
    lacking = [f.subject for f in findings if f.rule == "bundle-module-missing"]
    for ref in (a, b):
        venv = _folder(ref, "venv")
        if venv is not None:
            sides = beside(ref, venv, sides, lacking=lacking)
    return holding(left, sides.get(a)), holding(right, sides.get(b))


def _snapshot(shared: Shared, ref: str, options: Options, *, is_bundle: bool) -> Snapshot:
    """Return a target, or what a report says of one, as it is compared.

    :param is_bundle: whether ``APP`` may be asked of it: where the other side is a frozen
        application and this is none, it stands for nothing here.
    """
    from venvsmith.compare import not_asked, of_facts, of_report  # noqa: PLC0415 - lazy command
    from venvsmith.verify import examine  # noqa: PLC0415

    path = Path(ref)
    if path.is_file():
        from venvsmith.report.saved import read_report  # noqa: PLC0415

        return of_report(read_report(path), ref)
    if shared.verbosity > 0:
        shared.say(f"looking at {ref}")
    its_own = () if is_bundle else tuple(c for c in options.asked.commands if c[:1] == ("APP",))
    others = tuple(c for c in options.asked.commands if c not in its_own)
    options = replace(options, asked=replace(options.asked, commands=others))
    facts, report = examine(ref, options=options)
    return not_asked(of_facts(facts, report, ref), its_own, "APP is a frozen application's word")
