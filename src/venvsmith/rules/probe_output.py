"""probe-output."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Need, Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

SIGN = "output:"


class ProbeOutput(Rule):
    """The probe inside the target gave no answer that could be believed.

    ## What it looks for
    Whether the answer came once, whole and in the form that was agreed.

    ## Why it happens
    No interpreter of the target can run the probe, one floods its output, or something in the
    target answers in the probe's place.

    ## How to see it by hand
    `docker run --rm --entrypoint python3 IMAGE -I -S -c 'print(1)'`

    ## How to mend it
    Look at the files only, from outside:

        venvsmith verify --static IMAGE

    ## When it is fine
    Never: what it was to gather is unknown.
    """

    name = "probe-output"
    code = "VS102"
    scope: ClassVar[Scope] = "target"
    needs: ClassVar[frozenset[Need]] = frozenset({"probe"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell what collect noticed."""
        for problem in ctx.facts.probe_problems:
            if problem.startswith(SIGN):
                text = problem.removeprefix(SIGN).strip()
                yield self.finding(
                    ctx,
                    subject=ctx.facts.target.ref,
                    message=f"The probe's answer cannot be used: {text[:300].rstrip('.')}.",
                    cause="An interpreter of the target failed, flooded us or was replaced.",
                    fix=words("venvsmith", "verify", "--static", ctx.facts.target.ref),
                    evidence={"problem": problem},
                )
