"""bundle-metadata-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.frozen import asker, fails_for, once, told
from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.bundle import MissingPart
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class BundleMetadataMissing(Rule):
    """Frozen code asks for a distribution's metadata that were not collected.

    ## What it looks for
    Calls such as `importlib.metadata.version("tqdm")` with the name written in them, in modules
    that starting the application runs, under no condition and in no `try`; and no
    `tqdm-*.dist-info` in the bundle.

    ## Why it happens
    A module is frozen from its code. Its `.dist-info` folder is no code, and comes along only where
    a hook asks for it.

    ## How to see it by hand
    The application ends with `PackageNotFoundError: No package metadata was found for tqdm`;
    `ls APP/_internal | grep dist-info` lists what is there.

    ## How to mend it

        pyinstaller --copy-metadata NAME app.py

    ## When it is fine
    Where only a function asks that the application never calls; that is told as information.
    """

    name = "bundle-metadata-missing"
    code = "VS903"
    claims = frozenset({"import-failed", "command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each of them once."""
        bundle = ctx.env.bundle
        for part in once(bundle.missing_metadata if bundle else ()):
            yield self._finding(ctx, part)

    def _finding(self, ctx: Context, part: MissingPart) -> Finding:
        return self.finding(
            ctx,
            subject=part.what,
            message=f"{asker(part)} asks for the metadata of {part.what}, which this bundle lacks.",
            cause=f"There is no {part.expected}: PyInstaller takes it along where a hook says so.",
            fix=f"--copy-metadata {part.what}",
            severity="error" if part.certain else "info",
            evidence=told(part),
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failing import or command that names it."""
        return fails_for(other, finding, finding.subject)
