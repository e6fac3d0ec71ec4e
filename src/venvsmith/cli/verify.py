"""``venvsmith verify``: judge a target and name the cause of what fails."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from venvsmith.cli import complete
from venvsmith.cli.manual import Manual
from venvsmith.cli.options import (
    commands_option,
    imports_option,
    output_option,
    static_option,
    timeout_option,
    variant_of,
)
from venvsmith.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.cli.main import Shared
    from venvsmith.model.expected import Expected
    from venvsmith.model.facts import Facts
    from venvsmith.model.lock import Pin
    from venvsmith.model.project import LockKey, Project

FORMATS = ("text", "json", "junit", "sarif", "github", "html")


@click.command("verify", cls=Manual)
@click.argument("target", shell_complete=complete.targets)
@imports_option("It must import; may be repeated.")
@commands_option("It must exit 0; may be repeated.")
@click.option(
    "--lock", "lock_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The target must hold its pins: a lockfile, any requirements file of == pins, a pylock.",
)  # fmt: skip
@click.option(
    "--stage", metavar="S", shell_complete=complete.stages,
    help="The target must hold what this stage of the configuration promises.",
)  # fmt: skip
@click.option(
    "--variant", metavar="V", shell_complete=complete.variants,
    help="Variant of --stage; needed where it has several.",
)  # fmt: skip
@static_option
@timeout_option(
    "Seconds for all that runs in the target: each run may take what is left, less a little for "
    "those that come after it."
)
@click.option(
    "--fail-on", type=click.Choice(["error", "warning"]), default="error", show_default=True,
    help="The least severity that makes the verdict 'fail'.",
)  # fmt: skip
@click.option(
    "--ignore", "ignored", multiple=True, metavar="RULE=REASON", shell_complete=complete.ignored,
    help="Do not count a rule, and say why in the report; may be repeated.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
    help="Of the report.",
)  # fmt: skip
@output_option
@click.option(
    "--sbom", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write what the target holds there, as CycloneDX, with the hashes of the lock.",
)  # fmt: skip
@click.pass_obj
def command(
    shared: Shared,
    /,
    *,
    target: str,
    imports: tuple[str, ...],
    commands: tuple[tuple[str, ...], ...],
    form: Any,
    output: Path | None,
    static: bool,
    fail_on: Literal["error", "warning"],
    timeout: float,
    lock_file: Path | None,
    stage: str | None,
    variant: str | None,
    ignored: tuple[str, ...],
    sbom: Path | None,
) -> int:
    """Judge an image, a folder or a venv, and name the cause of what fails.

    Every venv in TARGET is judged (or, where there is none, the interpreter on PATH): its files
    are read, and what is asked for is imported and run: of an image as its own user, without a
    network; of a venv or a bundle on this machine, as you.
    The cause of what fails comes first, with what mends it; what follows from it hangs under it.
    Nothing is installed, pulled or changed. Without options, a venv is held against what its own
    distributions, and the manifest of the build, promise.
    """
    from venvsmith.model.expected import Expected  # noqa: PLC0415 - lazy command
    from venvsmith.report import render  # noqa: PLC0415
    from venvsmith.target import kind_of  # noqa: PLC0415
    from venvsmith.verify import Options, examine, exit_code  # noqa: PLC0415

    if stage is None and variant is not None:
        raise UsageError("--variant needs --stage", hint="name the stage too: --stage NAME")
    keys = _keys(shared.project(), stage, variant) if stage is not None else ()
    options = Options(
        asked=Expected(imports=imports, commands=commands),
        static=static,
        fail_on=fail_on,
        ignore=_ignored(ignored),
        timeout=timeout,
        project=shared.home() if kind_of(target)[0] == "rootfs" else None,
    )
    expectations = _expectations(shared, target, lock_file, keys)
    facts, report = examine(target, expectations=expectations, options=options)
    if sbom is not None:
        _write_sbom(shared, sbom, facts, lock_file, keys)
    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    to_terminal = output is None and form == "text"
    text = render(report, form, color=to_terminal and shared.use_color(), width=width)
    if output is None:
        click.echo(text, nl=False)
    else:
        from venvsmith.files import write_output  # noqa: PLC0415

        write_output(output, text.encode())
        shared.say(f"{report.verdict}: {output}")
    return exit_code(report)


def _write_sbom(
    shared: Shared, sbom: Path, facts: Facts, lock_file: Path | None, keys: Sequence[LockKey]
) -> None:
    """Write what the target holds, with the hashes of the lock that was named, if one was."""
    from venvsmith.files import write_output  # noqa: PLC0415 - lazy command
    from venvsmith.lock import read_lock  # noqa: PLC0415
    from venvsmith.report.sbom import emit_sbom  # noqa: PLC0415
    from venvsmith.verify.expectations import hashed_pins  # noqa: PLC0415

    pins: tuple[Pin, ...] = ()
    if lock_file is not None:
        pins = hashed_pins(lock_file)
    elif keys:
        here = (key for key in keys if key.platform.machine == facts.system.machine)
        pins = read_lock(shared.project(), next(here, keys[0])).pins
    write_output(sbom, emit_sbom(facts, pins).encode())
    shared.say(f"wrote {sbom}")


def _ignored(pairs: tuple[str, ...]) -> dict[str, str]:
    from venvsmith.rules.framework.catalogue import load_rules  # noqa: PLC0415 - lazy command
    from venvsmith.rules.framework.pages import near  # noqa: PLC0415

    known = {rule.code: rule.name for rule in load_rules()} | {r.name: r.name for r in load_rules()}
    ignored: dict[str, str] = {}
    for pair in pairs:
        rule, _, reason = pair.partition("=")
        if rule not in known:
            hint = near(rule, load_rules()) or "'venvsmith explain' lists them"
            raise UsageError(f"there is no rule '{rule}'", where="--ignore", hint=hint)
        if not reason.strip():
            hint = f"--ignore {rule}=REASON"
            raise UsageError("an ignored rule needs a reason", where="--ignore", hint=hint)
        ignored[known[rule]] = reason.strip()
    return ignored


def _expectations(
    shared: Shared, target: str, lock_file: Path | None, keys: Sequence[LockKey]
) -> tuple[Expected, ...]:
    """Return what a lockfile, and a stage's lock for each platform, say of the target.

    :raises JudgedError: code ``drift`` where a stage's lock is not what the configuration asks for.
    """
    from venvsmith.verify.expectations import from_lock_file, from_stage  # noqa: PLC0415 - lazy

    found = [from_lock_file(lock_file)] if lock_file is not None else []
    if keys:
        from venvsmith.lock import read_lock  # noqa: PLC0415 - lazy command
        from venvsmith.lock.trees import recorded_trees  # noqa: PLC0415
        from venvsmith.resolve import refuse_drift_of  # noqa: PLC0415
        from venvsmith.target import venv_of  # noqa: PLC0415

        project = shared.project()
        locks = [read_lock(project, key) for key in keys]
        refuse_drift_of(project, locks)
        trees = recorded_trees(project)
        path = venv_of(target)
        found += [
            from_stage(project, lock.key.stage, lock, path=path, trees=trees) for lock in locks
        ]
    return tuple(found)


def _keys(project: Project, stage: str, variant: str | None) -> tuple[LockKey, ...]:
    """Return which locks a stage and a variant name: one for each platform of the variant."""
    variant = variant_of(project, stage, variant)
    return tuple(
        project.lock_key(stage=stage, variant=variant, platform=platform)
        for platform in project.variants[variant].platforms
    )
