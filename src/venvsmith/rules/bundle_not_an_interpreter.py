"""bundle-not-an-interpreter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from venvsmith.data.stdlib import standard_library
from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.model.bundle import BundleFacts
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

_OPTION = re.compile(r"-[bBdEhiIOPqRsSuvVx]*(?:([cm])([\w.]*)|[WX](.*))?")
"""One word of Python's options: flags, then one that takes a value, here or as the next word."""


class BundleNotAnInterpreter(Rule):
    """A frozen application is asked to act as a Python interpreter.

    ## What it looks for
    A command that starts the bundle with `-c` or `-m`, behind other options of Python's too
    (`-I -c`, `-um`), or with `-mMODULE` of a module that it holds.

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
            if bundle is None or not argv:
                continue
            name = argv[0].rpartition("/")[2]
            asked = _asked(bundle, argv[1:])
            if not asked or not bundle.starts((name,)):
                continue
            yield self.finding(
                ctx,
                subject=f"{argv[0]} {asked}",
                message=(
                    f"{name} {asked} addresses a frozen application as if it were an "
                    "interpreter: its answer says nothing about what can be imported."
                ),
                cause=f"The bootloader hands {asked} to the application as any other argument.",
                fix=f"{name} venvsmith-diagnose MODULE, with its line in the entry script",
                evidence={"argv": list(argv)},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failure of that very command."""
        return other.evidence.get("argv") == list(finding.evidence["argv"])


def _asked(bundle: BundleFacts, words: Sequence[str]) -> str:
    """Return the words up to the one that asks an interpreter to run code; none where none does."""
    takes_next = False
    for index, word in enumerate(words):
        if takes_next:
            takes_next = False
            continue
        option = _OPTION.fullmatch(word)
        if option is None or word == "-":
            return ""
        if option[1]:
            # Glued to its option, any word may be the application's own.
            top = option[2].partition(".")[0]
            known = top in bundle.packages or top in standard_library(bundle.python)
            glued = option[1] == "m" and known
            return " ".join(words[: index + 1]) if glued or not option[2] else ""
        takes_next = option[3] == ""
    return ""
