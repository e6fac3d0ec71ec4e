"""command-failed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import CommandResult
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

NOT_STARTABLE, NOT_FOUND = 126, 127


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
            severity="error" if result.argv in ctx.expected.commands else "info",
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
    if code == NOT_FOUND and result.resolved is None:
        return f"is not found on {_whose(ctx)} PATH"
    if code == NOT_FOUND:
        return f"cannot start: {result.resolved} names an interpreter that is not there"
    if code == NOT_STARTABLE:
        if ctx.env.bundle is not None:
            return f"cannot be started: {_last_line(result.output)}"
        return "may not be started by the image's user"
    said = _last_line(result.output)
    return f"ends with {code}" + (f": {said.rstrip('.')}" if said else "")


def _whose(ctx: Context) -> str:
    return "this machine's" if ctx.env.bundle is not None else "the image's"


def _cause(ctx: Context, result: CommandResult) -> str:
    if result.returncode == NOT_FOUND and result.resolved is None:
        name = result.argv[0]
        if ctx.env.bundle is not None:
            return "APP stands for the application's executable; all else is looked up on PATH."
        if name in ctx.env.bin_names:
            return f"{ctx.env.path}/bin holds {name}, but is not on the image's PATH."
        return f"No folder of the image's PATH holds {name}, nor does {ctx.env.path}/bin."
    return "Nothing in the catalogue explains it; the end of its output is the best there is."


def _fix(ctx: Context, result: CommandResult) -> str:
    if result.returncode == NOT_FOUND and result.resolved is None:
        if result.argv[0] in ctx.env.bin_names:
            return f"ENV PATH={ctx.env.path}/bin:$PATH"
        return f"Install what brings {result.argv[0]}, or mend the command's name"
    if ctx.env.bundle is not None:
        return f"Try it by hand: {shlex.join(result.argv)}"
    return f"Try it by hand: docker run --rm -it IMAGE {shlex.join(result.argv)}"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # A frozen application's bootloader has the last word, and says less than Python before it.
    lines = [line for line in lines if "Failed to execute script" not in line] or lines
    return lines[-1][:200] if lines else ""
