"""pkg-resources-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS, missing_module
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

GONE_SINCE = 82
"""The first setuptools without pkg_resources: https://setuptools.pypa.io/en/latest/history.html,
2026-11-21."""


class PkgResourcesMissing(Rule):
    """A package imports `pkg_resources`, and no setuptools here brings it.

    ## What it looks for
    Imports of `pkg_resources` that fail, or that are read in modules reached from the roots, in an
    environment without setuptools or with one from 82 on.

    ## Why it happens
    Python's venvs have had no setuptools since 3.12, uv's never had; setuptools 82 removed
    `pkg_resources`. Older packages use it without requiring setuptools.

    ## How to see it by hand
    `python -c "import pkg_resources"`

    ## How to mend it
    Newer versions of the package that imports it, or:

        RUN uv pip install --python /venv/bin/python 'setuptools<81'

    ## When it is fine
    Where the import is guarded or never reached: no finding.
    """

    name = "pkg-resources-missing"
    code = "VS217"
    claims = IMPORTS | {"command-failed", "requirement-unmet", "dist-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for whoever misses it."""
        importers = sorted(
            {
                str(gap.distribution or gap.importer)
                for gap in ctx.env.unresolved_imports
                if gap.module.partition(".")[0] == "pkg_resources"
            }
            | {
                ", ".join(sorted(d.name for d in ctx.view.owners(i.module))) or i.module
                for i in ctx.view.failed_imports
                if (i.missing or "").partition(".")[0] == "pkg_resources"
            }
        )
        if not importers:
            return
        version = ctx.view.versions.get("setuptools")
        have = f"setuptools {version}" if version else "no setuptools"
        yield self.finding(
            ctx,
            subject="pkg_resources",
            message=f"{importers[0]} imports pkg_resources, and {ctx.env.path} has {have}.",
            cause=(
                f"setuptools removed pkg_resources in {GONE_SINCE}."
                if version
                else f"{importers[0]} uses it without requiring setuptools, which newer Pythons "
                "and uv do not put into a venv."
            ),
            fix=installed(ctx, "setuptools<81"),
            evidence={"importers": importers, "setuptools": version},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what misses it."""
        if other.rule in IMPORTS:
            return (missing_module(other, ctx) or "").partition(".")[0] == "pkg_resources"
        if other.rule in {"requirement-unmet", "dist-missing"}:
            return "setuptools" in {other.subject, other.evidence.get("required")}
        return other.rule == "command-failed" and "pkg_resources" in str(other.evidence["output"])
