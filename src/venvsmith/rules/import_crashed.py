"""import-crashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.import_evidence import evidence_of
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

KINDS = {
    4: "an instruction that this processor does not have (SIGILL)",
    6: "its own abort (SIGABRT)",
    7: "a damaged or cut-off file in memory (SIGBUS)",
    9: "SIGKILL, most likely for want of memory",
    11: "an access to memory that is not its own (SIGSEGV)",
}
"""By Linux's numbers of signals (`man 7 signal`), whatever judges."""


class ImportCrashed(Rule):
    """Importing a module ends the interpreter itself.

    ## What it looks for
    Modules whose import ends the process by a signal or an exit, each tried again in a process of
    its own.

    ## Why it happens
    Compiled code built for another processor (AVX on an old machine: SIGILL), two versions of one
    library in a process (SIGSEGV), too little memory (SIGKILL), or a module that calls `exit`.

    ## How to see it by hand
    `python -X faulthandler -c "import MODULE"; echo $?`

    ## How to mend it
    As the signal says: another build of the package, one version of the library, more memory:

        docker run --memory 4g IMAGE

    ## When it is fine
    Never for a module that was asked for.
    """

    name = "import-crashed"
    code = "VS702"
    of_bundles = True
    needs: ClassVar[frozenset[Need]] = frozenset({"imports"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell every import that ended the process."""
        for result in ctx.env.imports:
            if result.status != "crashed":
                continue
            number = result.signal
            kind = KINDS.get(number, f"signal {number}") if number else "its exit"
            asked = result.module in ctx.view.asked
            yield self.finding(
                ctx,
                subject=result.module,
                message=f"import {result.module} ends the interpreter by {kind}.",
                cause="Nothing in the catalogue explains it; its last words are below.",
                fix=f"PYTHONFAULTHANDLER=1 {words('APP', 'venvsmith-diagnose', result.module)}"
                if ctx.env.bundle is not None
                else words(
                    *(f"{ctx.env.path}/bin/python", "-X", "faulthandler"),
                    *("-c", f"import {result.module}"),
                ),
                severity="error" if asked or number else "warning",
                evidence={**evidence_of(ctx, result), "signal": number},
            )
