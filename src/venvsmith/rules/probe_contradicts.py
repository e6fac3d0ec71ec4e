"""probe-contradicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.mends import run_line, words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.view import minor_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class ProbeContradicts(Rule):
    """What the target says of itself is not what its files say.

    ## What it looks for
    The version that the interpreter claims when it runs, against the one that its file, its library
    and its standard library show; and imports that succeed although the module's file is not there.

    ## Why it happens
    A wrapper stands in the interpreter's place, an environment variable sends it elsewhere, or the
    target was made to deceive. The files are believed, not the claim.

    ## How to see it by hand
    `/venv/bin/python -V`, and `readlink -f /venv/bin/python`.

    ## How to mend it
    Put the interpreter back in the wrapper's place:

        RUN ln -sf /usr/bin/python3.11 /venv/bin/python

    ## When it is fine
    A wrapper of your own that starts another Python on purpose.
    """

    name = "probe-contradicts"
    code = "VS103"
    needs = frozenset({"runs"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the interpreter's claim with its files."""
        interpreter = ctx.env.interpreter
        if interpreter is None or interpreter.run is None:
            return
        claimed = minor_of(interpreter.run.version)
        if claimed is not None and interpreter.minor is not None and claimed != interpreter.minor:
            yield self.finding(
                ctx,
                subject=interpreter.path,
                message=(
                    f"{interpreter.path} says it is Python {claimed}, and its file "
                    f"{interpreter.resolves_to} is Python {interpreter.minor}."
                ),
                cause="A wrapper or a variable of the environment starts another interpreter.",
                fix=f"{words('ls', '-l', interpreter.path)}; "
                + run_line("ln", "-sf", interpreter.resolves_to or "PYTHON", interpreter.path),
                evidence={"claimed": claimed, "file": interpreter.minor},
            )
