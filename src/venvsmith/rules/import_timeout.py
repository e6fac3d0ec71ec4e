"""import-timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.import_evidence import evidence_of
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class ImportTimeout(Rule):
    """Importing a module does not end.

    ## What it looks for
    Modules whose import did not end in the time given (`--timeout`).

    ## Why it happens
    The module waits for a network (there is none while it is verified), for input or for a lock, or
    it downloads a model when it is imported. Without bytecode a large stack is also just slow.

    ## How to see it by hand
    `docker run --rm --network none --entrypoint python IMAGE -X importtime -c "import MODULE"`

    ## How to mend it
    Download when building, not when importing; compile the bytecode:

        RUN python -m compileall -q /venv/lib

    ## When it is fine
    On a slow machine: give more time with `--timeout`. All that runs shares it: an import that was
    stopped with less than half of it is a note, and what was asked of it stays open.
    """

    name = "import-timeout"
    code = "VS703"
    needs: ClassVar[frozenset[Need]] = frozenset({"imports"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell every import that was stopped."""
        for result in ctx.env.imports:
            if result.status == "timeout":
                yield self.finding(
                    ctx,
                    subject=result.module,
                    message=(f"import {result.module} did not end within {result.seconds:.0f} s."),
                    cause="It waits for something, most likely a network, or is very slow.",
                    fix=(
                        "venvsmith verify --timeout 1800, or see where it stands: "
                        + words(
                            *(f"{ctx.env.path}/bin/python", "-X", "importtime"),
                            *("-c", f"import {result.module}"),
                        )
                    ),
                    severity=_severity(ctx, result),
                    evidence=evidence_of(ctx, result),
                )


def _severity(ctx: Context, result: ImportResult) -> Severity:
    if result.cut_off:
        return "info"
    return "error" if result.module in ctx.view.asked else "warning"
