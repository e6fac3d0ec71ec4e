"""bundle-source-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.frozen import fails_for, once, package, told
from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.bundle import MissingPart
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class BundleSourceMissing(Rule):
    """Frozen code whose source is read when the application runs, and is not there.

    ## What it looks for
    `torch.jit.script` called, or decorating, while a module is imported, in a module that the
    bundle holds as bytecode alone; and runs that end because a source could not be read, whoever
    asked for it (`inspect.getsource`, as typeguard does).

    ## Why it happens
    TorchScript reads the source of what it compiles, typeguard of what it instruments. PyInstaller
    freezes bytecode; its hook keeps the source of torch and torchvision themselves, not of what
    builds on them.

    ## How to see it by hand
    Importing the module ends with `OSError: could not get source code` or `Can't get source for`.

    ## How to mend it
    In a hook for the package whose source it is, not for the one that reads it:

        module_collection_mode = "pyz+py"

    ## When it is fine
    Where the module is never imported.
    """

    name = "bundle-source-missing"
    code = "VS905"
    claims = frozenset({"import-failed", "command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each of them once."""
        bundle = ctx.env.bundle
        for part in once(bundle.missing_sources if bundle else ()):
            yield self._finding(ctx, part)

    def _finding(self, ctx: Context, part: MissingPart) -> Finding:
        of = part.asker if part.what == part.asker else f"{part.what} in {part.asker}"
        reader = "TorchScript" if part.reader.partition(".")[0] in {"", "torch"} else part.reader
        return self.finding(
            ctx,
            subject=part.what,
            message=f"{reader} reads the source of {of}, and that is not in this bundle.",
            cause=f"It looks for {part.expected}; frozen bytecode is not enough.",
            fix="In a hook for " + package(part) + ': module_collection_mode = "pyz+py"',
            severity="error" if part.certain else "info",
            evidence={**told(part), "reader": part.reader},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failing import or command that names it."""
        return fails_for(other, finding, "source")
