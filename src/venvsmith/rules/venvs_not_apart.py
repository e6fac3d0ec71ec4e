"""venvs-not-apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class VenvsNotApart(Rule):
    """One environment of the image sees the packages of another one.

    ## What it looks for
    Folders of another environment of the same target on `sys.path`, as the interpreter says it
    when it is started.

    ## Why it happens
    A `PYTHONPATH` in the image, or a `.pth` file in `site-packages`, names the other one's
    `site-packages`. What is missing in one is then taken from the other, at a version that nobody
    asked for; two versions of torch end in one process.

    ## How to see it by hand
    `docker run --rm --entrypoint /venvs/a/bin/python IMAGE -c "import sys; print(sys.path)"`.

    ## How to mend it
    Remove the line, and install in each what it needs:

        ENV PYTHONPATH=

    ## When it is fine
    A thin environment laid over a large one on purpose: ignore it with that reason.
    """

    name = "venvs-not-apart"
    code = "VS315"
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"runs", "venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare what the interpreter searches with where the others lie."""
        run = ctx.env.interpreter.run if ctx.env.interpreter else None
        own = ctx.env.path
        for env in ctx.facts.environments:
            other = env.path
            nested = f"{own}/".startswith(f"{other}/") or f"{other}/".startswith(f"{own}/")
            if run is None or env.kind != "venv" or nested:
                continue
            seen = [entry for entry in run.sys_path if f"{entry}/".startswith(f"{other}/")]
            if seen:
                yield self.finding(
                    ctx,
                    subject=own,
                    message=f"{own} sees the packages of {other}: {seen[0]} is on its path.",
                    cause="PYTHONPATH or a .pth file names the other environment's folder.",
                    fix=f"Remove that line, and install in {own} what it needs",
                    evidence={"entries": seen},
                )
