"""bundle-not-an-interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class BundleNotAnInterpreter(Rule):
    """A frozen application is asked to act as a Python interpreter.

    ## What it looks for
    A command that starts the bundle with `-c` or `-m`.

    ## Why it happens
    `APP -c "import torch"` looks like a test of the bundle. The bootloader hands `-c` to the
    application as any other argument, so that the answer, good or bad, says nothing about what can
    be imported: a bundle that works is called broken, with every package "unavailable".

    ## How to see it by hand
    `APP -c "import no_such_module"` gives the same answer.

    ## How to mend it
    As the first line of the entry script:

        import venvsmith_diagnose; venvsmith_diagnose.run()

    Then `APP venvsmith-diagnose torch whisperx` answers. `venvsmith bundle hooks` writes that
    module.

    ## When it is fine
    Where the application itself understands `-c`.
    """

    name = "bundle-not-an-interpreter"
    code = "VS906"
    claims = frozenset({"command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each command that treats the bundle as an interpreter."""
        bundle = ctx.env.bundle
        for argv in dict.fromkeys((*ctx.expected.commands, *(c.argv for c in ctx.env.commands))):
            if bundle is None or len(argv) < 2 or argv[1] not in {"-c", "-m"}:  # noqa: PLR2004
                continue
            name = argv[0].rpartition("/")[2]
            if name not in {"APP", bundle.executable.rpartition("/")[2]}:
                continue
            yield self.finding(
                ctx,
                subject=" ".join(argv[:2]),
                message=(
                    f"{name} {argv[1]} addresses a frozen application as if it were an "
                    "interpreter: its answer says nothing about what can be imported."
                ),
                cause=f"The bootloader hands {argv[1]} to the application as any other argument.",
                fix=f"{name} venvsmith-diagnose MODULE, with its line in the entry script",
                evidence={"argv": list(argv)},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failure of that very command."""
        return other.evidence.get("argv") == list(finding.evidence["argv"])
