"""interpreter-fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class InterpreterFails(Rule):
    """The environment's python is there, and does not come up.

    ## What it looks for
    What happened when the interpreter was started with nothing to do.

    ## Why it happens
    For one of the reasons that other rules name (no standard library, no libpython, a hook that
    ends it); then this finding stands behind that one. Otherwise its own last words are the
    sharpest fact there is.

    ## How to see it by hand
    `docker run --rm --entrypoint /venv/bin/python IMAGE -c pass; echo $?`

    ## How to mend it
    As its last words say; most often with an interpreter that is whole:

        FROM python:3.11-slim-bookworm

    ## When it is fine
    Never: no program of this environment can start.
    """

    name = "interpreter-fails"
    code = "VS314"
    claims = RUNS

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at how the start ended, or that none was possible."""
        interpreter = ctx.env.interpreter
        if interpreter is None or interpreter.resolves_to is None:
            return
        run = interpreter.run
        if run is not None and run.returncode != 0:
            lines = [line for line in run.stderr.splitlines() if line.strip()]
            code = "did not end" if run.returncode is None else f"ended with {run.returncode}"
            last = lines[-1][:200].rstrip(".") if lines else "without a word"
            said = f"{code}: {last}"
        elif run is None:
            reason = ctx.view.nothing_starts
            if not reason:
                return
            said = f"does not come up, nor does any other here: {reason[:400]}"
        else:
            return
        yield self.finding(
            ctx,
            subject=interpreter.path,
            message=f"{interpreter.path} ({interpreter.resolves_to}) {said}.",
            cause="Nothing in the catalogue explains it; its last words are the best there is.",
            fix=f"Try it by hand: {words(interpreter.path, '-c', 'pass')}"
            if ctx.is_here
            else "Try it by hand: "
            + words(
                *("docker", "run", "--rm", "--entrypoint", interpreter.path, "IMAGE", "-c", "pass")
            ),
            evidence={"output": run.stderr[-2000:] if run else said},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim whatever had to start."""
        return True
