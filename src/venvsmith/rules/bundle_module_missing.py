"""bundle-module-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.bundle import MissingModule
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class BundleModuleMissing(Rule):
    """Frozen code imports a module that was not frozen with it.

    ## What it looks for
    The imports that starting the application runs, read from its frozen bytecode: from its scripts
    (with what stands behind `if __name__ == "__main__"`), through every module that these import in
    turn. A name that `from package import name` takes is a missing submodule where the package
    neither defines it nor makes names as it runs. Imports in `try` do not count.

    ## Why it happens
    The spec excludes it (`excludes = ["torch._inductor"]`, to save space), or it is only imported
    by a string, which PyInstaller cannot see. Python then says "most likely due to a circular
    import" where a package imports a missing submodule of its own while it is itself being
    imported: there is no circle.

    ## How to see it by hand
    `pyi-archive_viewer --recursive --list APP | grep MODULE` finds nothing.

    ## How to mend it
    Take it off `excludes` in the spec, or name it to PyInstaller:

        pyinstaller --hidden-import MODULE app.py

    ## When it is fine
    Where only a function imports it that the application never calls; that is told as information.
    """

    name = "bundle-module-missing"
    code = "VS901"
    claims = frozenset({"import-failed", "command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each missing module once; what lies below one that is missing goes with it."""
        bundle = ctx.env.bundle
        for gap in bundle.missing_modules if bundle else ():
            yield self._finding(ctx, gap)

    def _finding(self, ctx: Context, gap: MissingModule) -> Finding:
        chain = " -> ".join((*gap.chain, gap.module))
        place = f"{gap.importer}.{gap.function}()" if gap.function else gap.importer
        if not gap.importer:
            message = f"{gap.module} was asked for, and this bundle does not hold it."
        else:
            message = f"{place} imports {gap.module}, which was not frozen into this bundle."
        circle = (
            " Python calls this a circular import; it is a missing submodule."
            if gap.how == "from" and gap.module.rpartition(".")[0] == gap.importer
            else ""
        )
        other = f" {gap.beside} is there, for another Python." if gap.beside else ""
        return self.finding(
            ctx,
            subject=gap.module,
            message=message,
            cause=f"Reached by {chain}.{circle}{other}",
            fix=f"Take {gap.module} off the spec's excludes, or: --hidden-import {gap.module}",
            severity="error" if gap.certain else "info",
            evidence={
                "module": gap.module,
                "importer": gap.importer,
                "function": gap.function,
                "chain": list(gap.chain),
                "how": gap.how,
            },
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failing import or command that names the module."""
        module = finding.evidence["module"]
        if finding.severity != "error":  # it may be named in passing
            return False
        if other.rule == "import-failed":
            said = str(other.evidence.get("message", "")) + str(other.evidence.get("missing", ""))
            return module in said or module.rpartition(".")[2] in said.split("'")
        if other.rule == "command-failed":
            said = str(other.evidence.get("output", ""))
            leaf = module.rpartition(".")[2]
            named = f"import name '{leaf}'", f"import name {leaf}\n"  # Python's words, and Cython's
            return f"'{module}'" in said or any(words in f"{said}\n" for words in named)
        return False
