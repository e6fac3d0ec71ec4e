"""The entry point: options that all commands share, lazy commands, and the one catch of errors."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from venvsmith import __version__
from venvsmith.cli.manual import ManualGroup
from venvsmith.errors import UsageError, VenvsmithError

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvsmith.model.project import Project

GROUPS = {
    "Begin": {
        "init": "Write a first venvsmith.toml, from what is there or from nothing.",
        "preflight": "Tell whether this machine is ready to lock, build, run and push.",
    },
    "Build": {
        "lock": "Resolve the stages into hashed lockfiles.",
        "render": "Write Dockerfiles, a bake file and the layers' pins.",
        "build": "Build images through BuildKit, or on this machine without a daemon.",
        "push": "Push what was built: all content first, then the tags.",
    },
    "Judge": {
        "verify": "Judge an image, a folder or a venv, and name the cause of what fails.",
        "compare": (
            "Tell what differs between two targets, and which difference explains a failure."
        ),
        "explain": "Tell what a rule looks for, why, and how to mend what it finds.",
    },
    "More": {
        "graph": "Show stages, variants, images and sizes as a tree.",
        "bundle": "Write PyInstaller hooks for what a stage's distributions need.",
    },
}
"""The commands under what they are for, each with its synopsis, so that the top page imports none.

The module of this name in `venvsmith.cli` holds a click command `command`."""
COMMANDS = tuple(name for group in GROUPS.values() for name in group)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """What every command gets: the options before the command's name."""

    config: Path | None
    verbosity: int
    color: str

    def project(self) -> Project:
        """Load the configuration that applies here.

        :raises ConfigError: where there is none, or it is wrong.
        """
        from venvsmith.config import load  # noqa: PLC0415 - `--version` must not pay for it

        return load(self.config)

    def home(self) -> Path | None:
        """Return the folder of the configuration that applies here, None where there is none."""
        from venvsmith.config import find  # noqa: PLC0415 - `--version` must not pay for it

        try:
            return (self.config or find()).parent.resolve()
        except UsageError:
            return None

    def use_color(self, *, stderr: bool = False) -> bool:
        """Tell whether to colour: asked for, or a terminal that does not refuse it."""
        if self.color != "auto":
            return self.color == "always"
        stream = sys.stderr if stderr else sys.stdout
        return stream.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str) -> None:
        """Write a line of progress to stderr, unless quiet."""
        if self.verbosity >= 0:
            click.echo(text, err=True)


class LazyGroup(ManualGroup):
    """A group whose commands are imported when they are called, and not to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the top page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"venvsmith.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add a did-you-mean to an unknown command."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            import difflib  # noqa: PLC0415 - only for a mistake

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f"; did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"no such command '{args[0]}'{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        widest = max(map(len, COMMANDS))
        for title, synopses in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), text) for name, text in synopses.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="venvsmith", message="%(prog)s %(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Configuration file; otherwise the nearest venvsmith.toml or pyproject.toml upwards.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: what is run, and why.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="auto: on a terminal.",
)  # fmt: skip
@click.pass_context
def cli(ctx: click.Context, config: Path | None, quiet: bool, verbose: bool, color: str) -> None:  # noqa: FBT001
    """Lock, build and verify Python environments that are copied between container stages.

    `venvsmith verify` judges any image, venv or Dockerfile and needs no configuration. The other
    commands make images that cannot break that way, from one file. These options stand before the
    command, -q and -v also behind it; `venvsmith COMMAND --help` is its page.
    """
    from venvsmith.scratch import sweep  # noqa: PLC0415 - `--version` must not pay for it

    sweep()
    ctx.obj = Shared(config=config, verbosity=int(verbose) - int(quiet), color=color)


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the contract's code.

    :param argv: the arguments without the program's name; the process's own where None.
    """
    sys.stdout = _QuietPipe(sys.stdout)
    if instruction := os.environ.get("_VENVSMITH_COMPLETE"):
        from venvsmith.cli.complete import answer_shell  # noqa: PLC0415 - only for a shell

        answer_shell(cli, instruction)
    try:
        code = cli.main(args=argv, prog_name="venvsmith", standalone_mode=False)
    except VenvsmithError as error:
        for line in error.lines():
            _print_error(line)
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.message, err=True)
        sys.exit(2)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see '{context.command_path} --help'" if context is not None else ""
        _print_error(f"usage: {error.format_message()}{hint}")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _print_error("interrupted")
        sys.exit(130)
    except Exception as error:
        _end_where_the_disk_refuses(error)
        if "VENVSMITH_TRACEBACK" in os.environ:
            raise
        _print_error(
            f"bug: {type(error).__name__}: {error}; set VENVSMITH_TRACEBACK=1 to see where"
        )
        sys.exit(70)
    sys.exit(code if isinstance(code, int) else 0)


def _end_where_the_disk_refuses(error: Exception) -> None:
    """Exit with 4 for a full or read-only disk, wherever it was met."""
    if not isinstance(error, OSError):
        return
    import tempfile  # noqa: PLC0415 - only for a mistake

    from venvsmith.files import DISK_REFUSES, refusal  # noqa: PLC0415

    if error.errno in DISK_REFUSES:
        told = refusal(Path(str(error.filename or tempfile.gettempdir())), error)
        _print_error(told.lines()[0])
        sys.exit(told.exit_code)


class _QuietPipe:
    """Standard output whose reader may go away (`| head`): the verdict's exit code stays."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop what nobody reads."""
        self._or_drop(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what nobody reads."""
        self._or_drop(self._stream.flush)

    def _or_drop(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def _print_error(line: str) -> None:
    printable = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    click.echo(f"venvsmith: {printable}", err=True)
