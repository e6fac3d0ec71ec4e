"""`venvsmith init`: write a first configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from venvsmith.cli.manual import Manual

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvsmith.cli.main import Shared
    from venvsmith.config.scalars import Text
    from venvsmith.init import Answers, Draft


@click.command("init", cls=Manual)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Dockerfile, a pyproject.toml or a requirements file to make it from.",
)
@click.option("--blank", is_flag=True, help="From nothing, whatever lies in this folder.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; take what Enter would give.")
@click.option("--stdout", is_flag=True, help="Print it instead of writing it.")
@click.option("--force", is_flag=True, help="Replace a configuration that is there.")
@click.pass_obj
def command(
    shared: Shared, *, source: Path | None, blank: bool, yes: bool, stdout: bool, force: bool
) -> None:
    """Write a first venvsmith.toml, from what is there or from nothing.

    From a Dockerfile come its bases, Python, installs, system packages, environment, user and
    start; from a pyproject its dependencies, extras and groups; from a requirements file its
    requirements. What cannot be carried over is told, and stands as a NOTE at its place. Without
    --from, the folder is looked at first: a terminal is asked, elsewhere the first file that
    serves is taken and said.
    """
    from venvsmith.config import FILE  # noqa: PLC0415 - `--version` must not pay for it
    from venvsmith.errors import UsageError  # noqa: PLC0415
    from venvsmith.files import write_files  # noqa: PLC0415
    from venvsmith.init import draft  # noqa: PLC0415

    if source is not None and blank:
        raise UsageError("--from and --blank exclude each other", where="init")
    if source is not None and not source.exists():
        source = Path(str(source).removeprefix("dockerfile:"))  # as `verify` takes it
        if not source.exists():
            raise UsageError("there is no such file", where=str(source), hint="see --from")
    target = shared.config or Path(FILE)
    if not stdout:
        _spare(target, force=force)
    asks = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    if source is None and not blank:
        source = _offered(shared, target.parent, asks=asks)
    answers = _questions(target.parent) if asks and source is None else None
    made = draft(source, target=target, answers=answers)
    _tell(shared, made)
    if stdout:
        click.echo(made.text, nl=False)
        return
    write_files({target: made.text.encode()})
    click.echo(f"wrote {target}")
    steps = ["read its notes"] if made.notes else []
    steps += [f"fill in {key}" for key in made.missing]
    shared.say(f"next: {', then '.join([*steps, 'venvsmith lock'])}")


def _spare(target: Path, *, force: bool) -> None:
    """Refuse to write over a configuration, or beside one that would then no longer count."""
    from venvsmith.config import FILE, PYPROJECT, lies_in  # noqa: PLC0415
    from venvsmith.errors import UsageError  # noqa: PLC0415

    if target.name == PYPROJECT:
        hint = f"name a {FILE} with --config, or use --stdout and copy what it prints"
        raise UsageError(f"init writes no {PYPROJECT}", where=str(target), hint=hint)
    if force:
        return
    if target.exists():
        hint = "--force replaces it, --stdout only prints"
        raise UsageError("there is one already", where=str(target), hint=hint)
    there = lies_in(target.parent) if target.name == FILE else None
    if there is not None:
        message = "there is one already, in [tool.venvsmith]"
        hint = f"--force writes a {FILE}, which then counts in its place; --stdout only prints"
        raise UsageError(message, where=str(there), hint=hint)


def _offered(shared: Shared, folder: Path, *, asks: bool) -> Path | None:
    """Return what lies in the folder to start from, where that is wanted."""
    from venvsmith.init import sources  # noqa: PLC0415

    found = sources(folder)
    if not found:
        return None
    first = found[0]
    others = f"; also here: {', '.join(str(path) for path in found[1:])}" if found[1:] else ""
    if asks and not click.confirm(f"Start from {first}{others}?", default=True, err=True):
        return None
    if not asks:
        shared.say(f"from {first}, which lies here{others} (--from FILE, or --blank)")
    return first


def _questions(folder: Path) -> Answers:
    """Ask what a configuration from nothing needs; Enter takes the default."""
    from venvsmith.config import formats  # noqa: PLC0415
    from venvsmith.init import Answers  # noqa: PLC0415
    from venvsmith.init.compose import slug  # noqa: PLC0415
    from venvsmith.init.sketch import DEFAULT_PYTHON  # noqa: PLC0415

    def ask(text: str, default: str, check: Callable[[str], str]) -> str:
        answer: str = click.prompt(text, default=default, value_proc=check, err=True)
        return answer

    name = ask("Name", slug(folder.resolve().name) or "app", _checked(formats.PROJECT_NAME))
    python = ask("Python minor version", DEFAULT_PYTHON, _checked(formats.PYTHON))
    image = ask("Image that it runs in", f"python:{python}-slim-bookworm", _checked(formats.IMAGE))
    words = click.prompt(
        "What to install, such as: fastapi uvicorn>=0.30", default="", show_default=False, err=True
    )
    return Answers(name=name, python=python, image=image, requires=tuple(str(words).split()))


def _checked(kind: Text) -> Callable[[str], str]:
    """Return a check that asks again where the configuration would refuse an answer."""

    def check(answer: str) -> str:
        problems: list[tuple[str, str]] = []
        kind.read(answer.strip(), "", problems)
        if problems:
            raise click.BadParameter(problems[0][1])
        return answer.strip()

    return check


def _tell(shared: Shared, made: Draft) -> None:
    """Say on stderr what became of what: the notes always, the rest with -v."""
    if shared.verbosity > 0:
        for entry in made.entries:
            shared.say(f"line {entry.line}: {entry.what[:80]}: {entry.outcome}: {entry.how}")
    if made.entries:
        counts = {
            word: sum(entry.outcome == outcome for entry in made.entries)
            for word, outcome in (
                ("carried over", "carried"),
                ("venvsmith's own work", "replaced"),
                ("told below", "noted"),
            )
        }
        listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        shared.say(f"instructions and commands: {listed}")
    for note in made.notes:
        shared.say(f"note: {note.origin}: {note.what}: {note.why}; {note.todo}")
