"""command-failed."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from venvsmith.rules.framework.mends import on_path
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import CommandResult
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

NOT_STARTABLE, NOT_FOUND = 126, 127
SHELLS_OWN = frozenset({"cd", "export", "source", ".", "set", "ulimit", "umask", "alias", "eval"})
"""Words that no file on PATH stands for."""
SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}
"""By Linux's numbers (`man 7 signal`), whatever judges."""
LONGEST = 200
"""Characters of a program's last line in the message; the report shows it whole."""


class CommandFailed(Rule):
    """A command that must succeed does not.

    ## What it looks for
    The commands that were asked for (`--command`, a stage's `commands`), run as the image's own
    user, with its environment and working directory and without a network. They must exit 0 in
    time.

    ## Why it happens
    For one of the reasons that other rules name; then this finding stands behind that one. Exit 127
    means that PATH has no such program or that its first line names an absent interpreter, 126
    that the user may not start it.

    ## How to see it by hand
    `docker run --rm --entrypoint PROGRAM IMAGE ARGUMENTS; echo $?`

    ## How to mend it
    As its output says. Where it was not found, put the environment on the path:

        ENV PATH=/venv/bin:$PATH

    ## When it is fine
    Where the command needs a network, a device or arguments; then check another one (`--help`).
    All that runs shares `--timeout`: a command that was stopped with less than half of it is a
    note, and whether it works stays open.
    """

    name = "command-failed"
    code = "VS503"
    of_bundles = True
    needs = frozenset({"commands"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell every command that did not exit 0."""
        for result in ctx.env.commands:
            if result.returncode != 0:
                yield self._finding(ctx, result)

    def _finding(self, ctx: Context, result: CommandResult) -> Finding:
        shown = shlex.join(result.argv)
        return self.finding(
            ctx,
            subject=shown,
            message=f"{shown} {_outcome(ctx, result)}.",
            cause=_cause(ctx, result),
            fix=_fix(ctx, result),
            severity=(
                "error" if result.argv in ctx.expected.commands and not result.cut_off else "info"
            ),
            evidence={
                "argv": list(result.argv),
                "returncode": result.returncode,
                "output": result.output[-2000:],
                "resolved": result.resolved,
                "seconds": round(result.seconds, 3),
            },
        )


def _outcome(ctx: Context, result: CommandResult) -> str:
    code = result.returncode
    if code is None:
        return f"did not end within {result.seconds:.0f} s"
    if ctx.env.bundle is not None:
        return _of_bundle(ctx, result)
    if code == NOT_FOUND and result.resolved is None:
        is_path = "/" in result.argv[0]
        return "is not there" if is_path else f"is not found on {ctx.place}'s PATH"
    if code == NOT_FOUND:
        return f"cannot start: {result.resolved} names an interpreter that is not there"
    if code == NOT_STARTABLE:
        return "may not be started by " + ("this user" if ctx.is_here else "the image's user")
    return _ended(code, result)


def _of_bundle(ctx: Context, result: CommandResult) -> str:
    """Say how a command ended for which there is no shell, whose 126 and 127 are its own."""
    code = result.returncode or 0
    if result.resolved is not None or code not in {NOT_FOUND, NOT_STARTABLE}:
        return _ended(code, result)
    if _is_not_found(ctx, result):
        is_path = "/" in result.argv[0]
        return "is not there" if is_path else f"is not found on {ctx.place}'s PATH"
    return f"cannot be started: {_last_line(result.output)}"


def _ended(code: int, result: CommandResult) -> str:
    said = _last_line(result.output)
    name = f" ({SIGNALS[-code]})" if -code in SIGNALS else ""
    return f"ends with {code}{name}" + (f": {said.rstrip('.')}" if said else "")


def _is_not_found(ctx: Context, result: CommandResult) -> bool:
    """Tell whether there is no such program: the application itself was just read."""
    bundle = ctx.env.bundle
    starts = bundle is not None and bundle.starts(result.argv)
    return result.returncode == NOT_FOUND and result.resolved is None and not starts


def _lost_its_bit(ctx: Context, result: CommandResult) -> bool:
    bundle = ctx.env.bundle
    starts = bundle is not None and bundle.starts(result.argv) and result.resolved is None
    return starts and "Permission denied" in result.output


def _cause(ctx: Context, result: CommandResult) -> str:
    if _is_not_found(ctx, result):
        return _why_not_found(ctx, result.argv[0])
    if _lost_its_bit(ctx, result):
        return (
            "Its executable bit is missing, which zip files and artifact uploads drop; or it lies "
            "where nothing may be started."
        )
    if result.returncode == NOT_FOUND and result.resolved is None:
        return "The file is there, but not the loader that it names: it is for another system."
    if result.returncode is None:
        return "It waits for something, most likely a network or its input, or is very slow."
    return "Nothing in the catalogue explains it; the end of its output is the best there is."


def _why_not_found(ctx: Context, name: str) -> str:
    if ctx.env.bundle is not None:
        return "APP stands for the application's executable; all else is looked up on PATH."
    if name in SHELLS_OWN:
        return "It is a word of the shell's own, and commands are run without a shell."
    if "/" in name:
        return "No such file lies there; commands run in the target's working directory."
    if name in ctx.env.bin_names:
        return f"{ctx.env.path}/bin holds {name}, but is not on {ctx.place}'s PATH."
    return f"No folder of {ctx.place}'s PATH holds {name}, nor does {ctx.env.path}/bin."


def _fix(ctx: Context, result: CommandResult) -> str:
    command = shlex.join(result.argv)
    if ctx.env.bundle is not None and _lost_its_bit(ctx, result):
        return f"chmod +x {shlex.quote(ctx.env.bundle.executable)}"
    if _is_not_found(ctx, result):
        return _how_found(ctx, result.argv[0], command)
    in_image = "" if ctx.is_here else "docker run --rm -it IMAGE "
    if result.returncode is None:
        return f"venvsmith verify --timeout 1800, or see what it waits for: {in_image}{command}"
    return f"Try it by hand: {in_image}{command}"


def _how_found(ctx: Context, name: str, command: str) -> str:
    if name in SHELLS_OWN:
        return f"Ask a shell: sh -c {shlex.quote(command)}"
    if "/" in name and ctx.env.bundle is None:
        return f"Name the file by its whole path, or bring it there: {name}"
    if name in ctx.env.bin_names:
        return on_path(ctx)
    return f"Install what brings {name}, or mend the command's name"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # A frozen application's bootloader has the last word, and says less than Python before it.
    lines = [line for line in lines if "Failed to execute script" not in line] or lines
    # A bracket or a border only closes what was said before.
    lines = [line for line in lines if any(letter.isalnum() for letter in line)] or lines
    return textwrap.shorten(lines[-1], LONGEST, placeholder=" …") if lines else ""
