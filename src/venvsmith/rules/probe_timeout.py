"""probe-timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Need, Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

SIGN = "timeout:"


class ProbeTimeout(Rule):
    """The probe inside the target did not end in time.

    ## What it looks for
    Whether what gathers the facts had to be stopped.

    ## Why it happens
    Something that starts with every interpreter hangs (a `sitecustomize`, a `.pth` file), the files
    are on a very slow disk, or the target is larger than the time allows.

    ## How to see it by hand
    `docker run --rm --entrypoint python3 IMAGE -I -S -c pass`

    ## How to mend it
    Give it more time, or look at the files only:

        venvsmith verify --timeout 1800 IMAGE
        venvsmith verify --static IMAGE

    ## When it is fine
    On a slow machine; the facts that it was to gather are unknown all the same.
    """

    name = "probe-timeout"
    code = "VS101"
    scope: ClassVar[Scope] = "target"
    needs: ClassVar[frozenset[Need]] = frozenset({"probe"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell what collect noticed."""
        for problem in ctx.facts.probe_problems:
            if problem.startswith(SIGN):
                yield self.finding(
                    ctx,
                    subject=ctx.facts.target.ref,
                    message=f"The probe was stopped: {problem.removeprefix(SIGN).strip()}.",
                    cause="Something in the target hangs, or it is larger than the time allows.",
                    fix=words("venvsmith", "verify", "--timeout", "1800", ctx.facts.target.ref),
                    evidence={"problem": problem},
                )
