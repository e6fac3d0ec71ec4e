"""bundle-native-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.frozen import AGAIN, fails_for
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.bundle import MissingLibrary
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


LOADED = "/lib-dynload/"
"""The folder of the standard library's own extension modules."""


class BundleNativeMissing(Rule):
    """A shared library that a frozen extension module needs is not in the bundle.

    ## What it looks for
    What the loader would look for from each extension module on: NEEDED along the whole chain, by
    RPATH, RUNPATH and the bundle's own top folder, which the bootloader puts on the loader's path.
    glibc's own libraries are every system's; those of the display, of sound and of drivers are left
    to it.

    ## Why it happens
    The library is opened by name at run time, so that PyInstaller does not see it, or a clean-up
    removed it (`ctranslate2.libs/`).

    ## How to see it by hand
    The application ends with `ImportError: libX.so: cannot open shared object file`.

    ## How to mend it

        pyinstaller --collect-binaries PACKAGE app.py

    Where the standard library's own module needs it (`_ssl`, `_ctypes`), freeze on a machine that
    has the library, or:

        pyinstaller --add-binary FOLDER/libX.so:. app.py

    ## When it is fine
    Where every machine that it runs on has the library. It is information where the application
    goes on without the module that needs it: all that imports that one does so in a `try`.
    """

    name = "bundle-native-missing"
    code = "VS904"
    claims = frozenset({"import-failed", "command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each library with the first module that needs it."""
        bundle = ctx.env.bundle
        for gap in bundle.missing_libraries if bundle else ():
            yield self._finding(ctx, gap)

    def _finding(self, ctx: Context, gap: MissingLibrary) -> Finding:
        folder, inside, _ = gap.chain[0].partition("/")
        package = folder if inside and LOADED not in gap.chain[0] else ""
        asks = next((elf for elf in ctx.env.elves if elf.path == gap.chain[-1]), None)
        beside = asks is None or any("ORIGIN" in p for p in (*asks.runpath, *asks.rpath))
        return self.finding(
            ctx,
            subject=gap.name,
            message=f"{gap.chain[-1]} needs {gap.name}, which is not in this bundle.",
            cause=f"Loaded by {listing(gap.chain[:1])}, searched in the bundle's own folders.",
            fix=_fix(gap.name, package if beside else ""),
            severity="error" if gap.certain else "info" if gap.tried else "warning",
            evidence={"library": gap.name, "chain": list(gap.chain), "package": package},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failing import or command that names the library."""
        return fails_for(other, finding, finding.subject)


def _fix(library: str, package: str) -> str:
    """Return what brings a library along.

    :param package: that of the module which needs it; empty where libraries are the system's: for
        the standard library's modules, and for one that does not look beside itself.
    """
    if library.startswith("libpython"):
        return AGAIN
    if package:
        return f"--collect-binaries {package}"
    return f"Freeze again on a machine that has {library}, or: --add-binary FOLDER/{library}:."
