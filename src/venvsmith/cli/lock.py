"""`venvsmith lock`: resolve the stages into hashed lockfiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from venvsmith.cli import complete
from venvsmith.cli.manual import Manual
from venvsmith.cli.options import variants_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.cli.main import Shared
    from venvsmith.lock.drift import Drift
    from venvsmith.model.project import Project, Resolver
    from venvsmith.resolve import LockChange, LockOptions

SHOWN_CHANGES = 12
"""Versions told for one lockfile; the file itself has all of them."""


@click.command("lock", cls=Manual)
@click.argument("stages", nargs=-1, metavar="[STAGE]...", shell_complete=complete.stages)
@variants_option
@click.option(
    "--upgrade-package", "upgrade_packages", multiple=True, metavar="NAME",
    help="Take the newest version of this distribution that fits; may be repeated.",
)  # fmt: skip
@click.option("--upgrade", is_flag=True, help="Take the newest version of everything.")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 where a lock is out of date.")
@click.option("--offline", is_flag=True, help="Use only what is in the resolver's cache.")
@click.option(
    "--resolver", type=click.Choice(["uv", "pip-tools"]),
    help="For this run; otherwise the configured one, else uv.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["requirements", "pylock"]), default="requirements",
    show_default=True, help="pylock writes a PEP 751 file beside each lock.",
)  # fmt: skip
@click.pass_obj
def command(
    shared: Shared,
    *,
    stages: tuple[str, ...],
    variants: tuple[str, ...],
    check: bool,
    upgrade: bool,
    upgrade_packages: tuple[str, ...],
    resolver: Resolver | None,
    form: str,
    offline: bool,
) -> None:
    """Resolve the stages into hashed lockfiles.

    Stages that share an ancestor are resolved together, and a child gets all of its parent's
    versions. Locked versions stay until they are upgraded or no longer fit. Where configuration
    and locks are unchanged, nothing is written and no network is needed; one lock that cannot be
    resolved leaves all of them as they were. --check also asks the index, where it answers and
    without --offline, whether what is locked was removed, replaced or yanked since.
    """
    from venvsmith.errors import UsageError  # noqa: PLC0415 - other commands must not pay for it
    from venvsmith.resolve import LockOptions  # noqa: PLC0415

    if check and (upgrade or upgrade_packages):
        message = "--check changes nothing, so it goes with no --upgrade"
        raise UsageError(message, where="lock", hint="leave one of them out")
    options = LockOptions(
        stages=stages,
        variants=variants,
        upgrade=upgrade,
        upgrade_packages=upgrade_packages,
        offline=offline,
        pylock=form == "pylock",
    )
    project = shared.project()
    if resolver is not None:
        project = replace(project, resolver=resolver)
    if check:
        _check(shared, project, options)
    else:
        _lock(shared, project, options)


def _check(shared: Shared, project: Project, options: LockOptions) -> None:
    from venvsmith.resolve import check_project  # noqa: PLC0415

    drift = check_project(project, options)
    _refuse(project, drift, "differ{} from the configuration", "run 'venvsmith lock'", "drift")
    withdrawn = _withdrawn(shared, project, options)
    hint = "run 'venvsmith lock --upgrade-package NAME'"
    _refuse(project, withdrawn, "hold{} what the index has withdrawn", hint, "withdrawn")
    shared.say("the locks are up to date")


def _refuse(project: Project, drift: Sequence[Drift], what: str, hint: str, code: str) -> None:
    from venvsmith.errors import JudgedError  # noqa: PLC0415

    for item in drift:
        click.echo(f"{project.locks}/{item.file}: {item.reason}")
    if drift:
        files = len({item.file for item in drift})
        message = f"{files} lockfile{'s' if files > 1 else ''} " + what.format("s" * (files == 1))
        raise JudgedError(message, where=project.locks, hint=hint, code=code)


def _withdrawn(shared: Shared, project: Project, options: LockOptions) -> tuple[Drift, ...]:
    """Ask the index too, where there is one to ask: unchanged locks need no network."""
    from venvsmith.errors import SurroundingsError  # noqa: PLC0415
    from venvsmith.resolve import check_offered  # noqa: PLC0415

    if options.offline:
        return ()
    detail = shared.say if shared.verbosity > 0 else None
    try:
        return check_offered(project, options, detail=detail)
    except SurroundingsError as error:
        shared.say(f"the index was not asked what it still offers: {error.where}: {error.message}")
        return ()


def _lock(shared: Shared, project: Project, options: LockOptions) -> None:
    from venvsmith.cli.progress import shown  # noqa: PLC0415
    from venvsmith.resolve import lock_project  # noqa: PLC0415

    with shown(shared) as progress:
        report = lock_project(
            project,
            options,
            say=progress.say,
            detail=progress.say if shared.verbosity > 0 else None,
            watch=progress.watch,
        )
    for change in report.changed:
        click.echo(_sentence(change, project))
    if not report.changed:
        one = len(report.unchanged) == 1
        are = "1 lockfile is" if one else f"{len(report.unchanged)} lockfiles are"
        shared.say(f"nothing to do: {are} up to date")


def _sentence(change: LockChange, project: Project) -> str:
    name = change.path.relative_to(project.root).as_posix()
    if not change.path.exists():
        return f"{name}: removed"
    count = f"{change.pins} {change.of}{'' if change.pins == 1 else 's'}"
    if change.new:
        return f"{name}: {count}, new"
    moves = [
        f"{what} {old or 'new'} → {new or 'gone'}"
        for what, old, new in change.moved[:SHOWN_CHANGES]
    ]
    rest = len(change.moved) - len(moves)
    same = "the same versions" if change.of == "pin" else "changed"
    return (
        f"{name}: {count}; "
        + (", ".join(moves) or same)
        + (f" and {rest} more" if rest > 0 else "")
    )
