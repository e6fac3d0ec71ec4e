"""bundle-native-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.frozen import AGAIN
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.bundle import MissingLibrary
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


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

    ## When it is fine
    Where every machine that it runs on has the library.
    """

    name = "bundle-native-missing"
    code = "VS904"
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each library with the first module that needs it."""
        bundle = ctx.env.bundle
        for gap in bundle.missing_libraries if bundle else ():
            yield self._finding(ctx, gap)

    def _finding(self, ctx: Context, gap: MissingLibrary) -> Finding:
        package = gap.chain[0].partition("/")[0].partition(".")[0]
        return self.finding(
            ctx,
            subject=gap.name,
            message=f"{gap.chain[-1]} needs {gap.name}, which is not in this bundle.",
            cause=f"Loaded by {listing(gap.chain[:1])}, searched in the bundle's own folders.",
            fix=AGAIN if gap.name.startswith("libpython") else f"--collect-binaries {package}",
            severity="error" if gap.certain else "warning",
            evidence={"library": gap.name, "chain": list(gap.chain), "package": package},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failing import or command that names the library."""
        said = str(other.evidence.get("output", "")) + str(other.evidence.get("message", ""))
        return other.rule in {"import-failed", "command-failed"} and finding.subject in said
