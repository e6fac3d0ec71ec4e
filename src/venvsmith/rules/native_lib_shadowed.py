"""native-lib-shadowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.gaps import claims_native
from venvsmith.rules.framework.loader import simulation
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class NativeLibShadowed(Rule):
    """`LD_LIBRARY_PATH` puts other libraries before those that the packages bring.

    ## What it looks for
    Folders of the image's `LD_LIBRARY_PATH` with libraries of the same names as the environment's
    own, where the packages find theirs by RUNPATH, which stands after `LD_LIBRARY_PATH`.

    ## Why it happens
    A CUDA base image has its own cuDNN and cuBLAS on `LD_LIBRARY_PATH`, and torch's wheels bring
    others: "cuDNN version incompatibility: compiled (8,5,0) found (8,1,1)".

    ## How to see it by hand
    `LD_DEBUG=libs python -c "import torch" 2>&1 | grep 'calling init'`

    ## How to mend it
    Base the image on one without CUDA's libraries, or clear the variable:

        ENV LD_LIBRARY_PATH=

    ## When it is fine
    Where both are the same version; reported as a warning.
    """

    name = "native-lib-shadowed"
    code = "VS407"
    claims = IMPORTS | {"command-failed", "glibcxx-too-old", "glibc-too-old"}
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare names folder by folder."""
        own: dict[str, str] = {}
        for elf in simulation(ctx.view).loaded.values():
            for name in elf.needed:
                if not elf.rpath:
                    own.setdefault(name, elf.path)
        inside = {e.soname or e.path.rpartition("/")[2]: e.path for e in ctx.env.elves}
        for folder, names in ctx.facts.system.library_path.items():
            if any(folder.startswith(site) for site in ctx.env.site_packages):
                continue
            both = sorted(name for name in names if name in inside and name in own)
            said = " ".join(f"{i.message} {i.causes}" for i in ctx.view.failed_imports)
            both += sorted(n for n in names if n not in inside and f"{folder}/{n}" in said)
            if not both:
                continue
            dist = ctx.view.dist_at(own[both[0]]) if both[0] in own else None
            yield self.finding(
                ctx,
                subject=folder,
                message=(
                    f"LD_LIBRARY_PATH puts {folder} first, whose {listing(both)} "
                    f"{'takes' if len(both) == 1 else 'take'} the place of others."
                ),
                cause=("This shell" if ctx.is_here else "The base image")
                + " sets LD_LIBRARY_PATH for libraries of its own.",
                fix="ENV LD_LIBRARY_PATH="
                + ("" if ctx.is_here else " (or a base without these libraries)"),
                evidence={
                    "folder": folder,
                    "libraries": both,
                    "own": [inside[n] for n in both if n in inside],
                    "distribution": dist.name if dist else None,
                },
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that name one of the libraries or the folder."""
        names = [str(name) for name in finding.evidence["libraries"]]
        if other.rule in {"glibcxx-too-old", "glibc-too-old"}:
            return any(name in other.message for name in names)
        return claims_native(finding, other, ctx, finding.subject, *names)
