"""bundle-not-an-interpreter."""

from __future__ import annotations

import ast
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

_CODE = (ast.Import, ast.ImportFrom, ast.Call, ast.Pass, ast.Raise, ast.Assert)


class BundleNotAnInterpreter(Rule):
    """A frozen application is asked to act as a Python interpreter.

    ## What it looks for
    A command that starts the bundle with `-c` and Python code (an import or a call), or with `-m`
    and a module of the bundle's or of the standard library; behind other options of Python's too
    (`-I -c`, `-um`). With `-m` it is only information where the application ended with 0.

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
    Where the application itself understands these words.
    """

    name = "bundle-not-an-interpreter"
    code = "VS906"
    claims = frozenset({"command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each command that treats the bundle as an interpreter."""
        bundle = ctx.env.bundle
        succeeded = {command.argv for command in ctx.env.commands if command.returncode == 0}
        for argv in dict.fromkeys((*ctx.expected.commands, *(c.argv for c in ctx.env.commands))):
            if bundle is None or not argv:
                continue
            name = argv[0].rpartition("/")[2]
            asked, kind = _asked(bundle, argv[1:])
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
                severity="info" if kind == "m" and argv in succeeded else None,
                evidence={"argv": list(argv)},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failure of that very command."""
        return other.evidence.get("argv") == list(finding.evidence["argv"])


def _asked(bundle: BundleFacts, words: Sequence[str]) -> tuple[str, str]:
    """Return the words up to the one that asks an interpreter to run code, and whether c or m.

    Both are empty where no word does.
    """
    takes_next = False
    for index, word in enumerate(words):
        if takes_next:
            takes_next = False
            continue
        option = _OPTION.fullmatch(word)
        if option is None or word == "-":
            return "", ""
        if option[1]:
            given = option[2] or next(iter(words[index + 1 :]), "")
            if option[1] == "m":
                top = given.partition(".")[0]
                asks = top in bundle.packages or top in standard_library(bundle.python)
            else:
                asks = not option[2] and _is_code(given)
            return (" ".join(words[: index + 1]), option[1]) if asks else ("", "")
        takes_next = option[3] == ""
    return "", ""


def _is_code(text: str) -> bool:
    """Tell whether a word is Python's: a name, a path or ``key=value`` is any application's."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _CODE) for node in ast.walk(tree))
