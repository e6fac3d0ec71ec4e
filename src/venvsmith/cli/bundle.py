"""`venvsmith bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from venvsmith.cli import complete
from venvsmith.cli.manual import Manual, ManualGroup
from venvsmith.cli.options import timeout_option, variant_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.bundle.installed import InstalledModules
    from venvsmith.cli.main import Shared
    from venvsmith.model.project import Project


@click.group("bundle", cls=ManualGroup)
def command() -> None:
    """Write PyInstaller hooks for what a stage's distributions need.

    A frozen application lacks what its packages ask for by other means than `import`. `bundle
    hooks` derives it from the installed packages; `verify bundle:PATH` judges what was frozen.
    """


@command.command("hooks", cls=Manual)
@click.argument("stage", shell_complete=complete.stages)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Folder for the hooks: PyInstaller's --additional-hooks-dir.",
)  # fmt: skip
@click.option(
    "--variant", metavar="V", shell_complete=complete.variants,
    help="The stage's variant; needed where it has several.",
)  # fmt: skip
@click.option(
    "--venv", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="The venv that is frozen; otherwise the stage's own, built by the local engine.",
)  # fmt: skip
@click.option("--trace", is_flag=True, help="Also run the stage's imports and commands, and watch.")
@timeout_option("Seconds for --trace.")
@click.option(
    "--spec", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
    help="A spec file whose excludes are held against what is needed; fails where they clash.",
)  # fmt: skip
@click.pass_obj
def hooks(
    shared: Shared,
    *,
    stage: str,
    venv: Path | None,
    variant: str | None,
    output: Path,
    trace: bool,
    spec: Path | None,
    timeout: float,
) -> int:
    """Write the hooks for a stage.

    Derived from the installed packages: modules imported by name, listed in a folder or behind
    entry points, data files that code opens, libraries opened at run time, metadata that is asked
    for, sources that TorchScript reads. What PyInstaller in that venv has a hook for is left to it.
    A venv without the stage's imports is refused, and nothing is written; an editable's are found
    in its source. Beside the hooks lies venvsmith_diagnose.py: one line in the application's entry
    script lets `venvsmith verify bundle:` ask it what it can import.
    """
    from venvsmith.bundle.hook import text_of  # noqa: PLC0415 - `--help` must not pay
    from venvsmith.bundle.hooks import derive  # noqa: PLC0415
    from venvsmith.bundle.installed import InstalledModules, pyinstaller_hooks  # noqa: PLC0415
    from venvsmith.bundle.traced import trace as run_traced  # noqa: PLC0415
    from venvsmith.report.plain import plural  # noqa: PLC0415

    project = shared.project()
    variant = variant_of(project, stage, variant)
    if venv is None:
        from venvsmith.build.course import build_stage_here  # noqa: PLC0415

        venv = build_stage_here(project, stage, variant, say=shared.say)
    installed = InstalledModules(venv, editables=True)
    ancestry = project.ancestry(stage)
    imports = list(dict.fromkeys(name for s in ancestry for name in s.imports))
    roots = imports or _all_of(installed, project, stage)
    known = installed.hooks() | pyinstaller_hooks()
    if not known:
        shared.say("warning: no PyInstaller is installed here: what it already knows is unknown")
    commands = [argv for s in ancestry for argv in s.commands]
    seen = None
    if trace:
        seen = run_traced(
            venv, installed.folder, modules=imports, commands=commands, timeout=timeout
        )
        for what, why in seen.failed.items():
            shared.say(f"warning: {what} failed in {venv}: {why}")
    found = derive(installed, roots, known=known, trace=seen)
    if installed.unread:
        _warn_of_unread(shared, installed.unread)
    _write(shared, output, {hook.filename: text_of(hook) for hook in found})
    click.echo(f"{plural(len(found), 'hook')}: pyinstaller --additional-hooks-dir {output} APP.py")
    return _clashes(shared, installed, roots, spec) if spec is not None else 0


def _all_of(installed: InstalledModules, project: Project, stage: str) -> list[str]:
    """Return all that a venv has to import, for a stage that names no imports.

    :raises JudgedError: where it lacks what the stage requires, or has nothing.
    """
    from packaging.requirements import Requirement  # noqa: PLC0415 - lazy command
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    from venvsmith.errors import JudgedError  # noqa: PLC0415

    needed = [Requirement(text) for s in project.ancestry(stage) for text in s.requires]
    names = {canonicalize_name(one.name) for one in needed if one.marker is None}
    absent = sorted(names - set(installed.distributions))
    roots = installed.importable()
    if absent or not roots:
        raise JudgedError(
            f"not installed there: {', '.join(absent) or 'anything that can be imported'}",
            where=str(installed.folder),
            hint="install the stage into it, or leave --venv out",
            code="not-installed",
        )
    return roots


def _warn_of_unread(shared: Shared, unread: Mapping[str, str]) -> None:
    """Tell of modules whose source this Python cannot compile: they may be for a later one."""
    import sys  # noqa: PLC0415 - lazy command

    module, why = next(iter(unread.items()))
    others = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    shared.say(
        f"warning: Python {sys.version_info[0]}.{sys.version_info[1]}, which runs venvsmith, cannot"
        f" read {module}{others} ({why}): what they ask for is in no hook; run venvsmith with the"
        " venv's own Python"
    )


def _write(shared: Shared, output: Path, hooks: dict[str, str]) -> None:
    """Write the hooks and the diagnose entry; remove hooks of an earlier run."""
    from importlib import resources  # noqa: PLC0415

    from venvsmith.bundle.hook import OURS  # noqa: PLC0415
    from venvsmith.files import make_folder, write_files  # noqa: PLC0415

    entry = resources.files("venvsmith.bundle") / "venvsmith_diagnose.py"
    files = {**hooks, "venvsmith_diagnose.py": entry.read_text(encoding="utf-8")}
    changes: dict[Path, bytes | None] = {output / k: v.encode() for k, v in files.items()}
    for path in output.glob("hook-*.py"):
        if path not in changes and OURS in path.read_text("utf-8", "replace")[:500]:
            changes[path] = None
    make_folder(output)
    for path in sorted(write_files(changes)):
        shared.say(f"{'wrote' if changes[path] is not None else 'removed'} {path}")


def _clashes(shared: Shared, installed: InstalledModules, roots: list[str], spec: Path) -> int:
    """Tell what a spec excludes and importing the stage's modules needs; return the exit code."""
    from venvsmith.bundle.graph import walk  # noqa: PLC0415
    from venvsmith.bundle.spec import excluded_by, excludes  # noqa: PLC0415

    excluded, computed = excludes(spec)
    for line in computed:
        shared.say(f"warning: {spec}:{line}: excludes what is computed, which is not checked")
    graph = walk(installed, asked=roots)
    clashes = {
        entry: module
        for module in reversed(graph.reached)
        for entry in [excluded_by(module, excluded)]
        if entry is not None
    }
    for entry, module in sorted(clashes.items()):
        chain = " -> ".join(graph.chain(module))
        click.echo(
            f"{spec}:{excluded[entry]}: excludes {entry}, and importing needs it: {chain}", err=True
        )
    return 1 if clashes else 0
