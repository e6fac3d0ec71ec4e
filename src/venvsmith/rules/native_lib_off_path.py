"""native-lib-off-path."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.gaps import claims_native, gaps, lies_at, severity_at, special
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.loader import Gap


class NativeLibOffPath(Rule):
    """A shared library is in the environment, where the loader does not look for it.

    ## What it looks for
    As native-lib-missing; here a library of that name lies in the environment, but in no folder
    that the loader searches for this object, and nothing loads it before.

    ## Why it happens
    A wheel relies on `LD_LIBRARY_PATH` that the build stage had set, on another package to load the
    library first, or its RPATH was removed (`patchelf`, `strip`), or a folder was moved.

    ## How to see it by hand
    `LD_DEBUG=libs python -c "import NAME" 2>&1 | grep LIBRARY`

    ## How to mend it
    In the final stage, with the folder that holds it:

        ENV LD_LIBRARY_PATH=/venv/lib/python3.11/site-packages/nvidia/cudnn/lib

    ## When it is fine
    Where the package opens it itself before it is needed; then the import works, and this is
    reported as a warning.
    """

    name = "native-lib-off-path"
    code = "VS406"
    claims = IMPORTS | {"command-failed"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group by library."""
        groups: defaultdict[str, list[Gap]] = defaultdict(list)
        for gap in gaps(ctx.view):
            if lies_at(ctx.view, gap) and not special(gap.name):
                groups[gap.name].append(gap)
        for name, found in sorted(groups.items()):
            gap = found[0]
            folders = sorted({path.rpartition("/")[0] for path in lies_at(ctx.view, gap)})
            dist = ctx.view.dist_at(gap.chain[0])
            who = f"{dist.name} {dist.version}" if dist else gap.chain[0]
            yield self.finding(
                ctx,
                subject=name,
                message=(
                    f"{who} needs {name}; it lies in {listing(folders)}, where the loader does not "
                    "look."
                ),
                cause=(
                    f"{gap.by.path.rpartition('site-packages/')[2]} names no folder for it, and "
                    "LD_LIBRARY_PATH does not hold it."
                ),
                fix=f"ENV LD_LIBRARY_PATH={words(folders[0])}",
                severity=severity_at(ctx.view, gap.chain[0]),
                evidence={
                    "library": name,
                    "lies_at": list(lies_at(ctx.view, gap)),
                    "needed_by": sorted({g.by.path for g in found})[:20],
                    "chain": list(gap.chain),
                    "distribution": dist.name if dist else None,
                },
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that name it, or pass through its distribution."""
        return claims_native(finding, other, ctx, str(finding.evidence["library"]))
