"""glibcxx-too-old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.gaps import claims_native
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.symbols import number, wanting
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class GlibcxxTooOld(Rule):
    """Compiled code wants a newer C++ library than the image has.

    ## What it looks for
    The versions of GLIBCXX and CXXABI symbols that loaded objects want of the image's
    `libstdc++.so.6`, and of its `libgcc_s.so.1` and `libgomp.so.1`, against what these define.

    ## Why it happens
    A package compiled with a newer gcc than the image's, or an old `libstdc++.so.6` on
    `LD_LIBRARY_PATH` (conda's, a CUDA toolkit's) that comes before the image's.

    ## How to see it by hand
    The error says "version `GLIBCXX_3.4.30' not found";
    `strings /usr/lib/*/libstdc++.so.6 | grep GLIBCXX`.

    ## How to mend it
    Build on the release where it runs, or install a newer library:

        RUN apt-get update && apt-get install -y libstdc++6

    ## When it is fine
    Never for code that is loaded.
    """

    name = "glibcxx-too-old"
    code = "VS404"
    claims = IMPORTS | {"command-failed"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather the objects that want more, library by library."""
        for library, prefixes in (
            ("libstdc++.so.6", ("GLIBCXX_", "CXXABI_")),
            ("libgcc_s.so.1", ("GCC_",)),
            ("libgomp.so.1", ("GOMP_", "OMP_")),
        ):
            found = wanting(ctx.view, library, prefixes)
            if not found:
                continue
            newest = max((v for versions in found.values() for v in versions), key=number)
            path = next(iter(found))
            names = sorted({d.name for p in found if (d := ctx.view.dist_at(p)) is not None})
            place = ctx.facts.system.libraries.get(library, library)
            yield self.finding(
                ctx,
                subject=path,
                message=(
                    f"{listing(names) or path} ({count(len(found), 'object')}) wants {newest}, "
                    f"which {place} does not define."
                ),
                cause=f"It was compiled with a newer compiler than {ctx.place}'s library.",
                fix="Build on the release where it runs, or run on the release where it is built",
                evidence={
                    "objects": {p: list(v) for p, v in list(found.items())[:20]},
                    "library": place,
                    "version": newest,
                    "distribution": names[0] if names else None,
                },
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that name the versions."""
        return claims_native(finding, other, ctx, str(finding.evidence["version"]), "GLIBCXX_")
