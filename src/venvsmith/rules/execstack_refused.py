"""execstack-refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.gaps import claims_native
from venvsmith.rules.framework.loader import simulation
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

REFUSES = (2, 41)
"""The first glibc whose dlopen refuses to make the stack executable:
https://sourceware.org/glibc/wiki/Release/2.41, 2026-11-21."""
MENDED = {"ctranslate2": "4.6.0"}
"""First versions without it: https://github.com/OpenNMT/CTranslate2/issues/1849, 2026-11-21."""


class ExecstackRefused(Rule):
    """A library asks for an executable stack, and this image's glibc refuses that.

    ## What it looks for
    Loaded objects whose `PT_GNU_STACK` is executable, in an image with glibc 2.41 or newer.

    ## Why it happens
    glibc 2.41 (Debian trixie, Ubuntu 25.04) no longer makes the stack executable for a library that
    is opened at run time. ctranslate2 4.4 and 4.5 were linked so.

    ## How to see it by hand
    The error says "cannot enable executable stack as shared object requires";
    `readelf -lW FILE | grep STACK` shows RWE.

    ## How to mend it
    A newer version of the package, or bookworm:

        RUN uv pip install --python /venv/bin/python 'ctranslate2>=4.6.0'

    ## When it is fine
    On an older glibc; the same image works there.
    """

    name = "execstack-refused"
    code = "VS412"
    claims = IMPORTS | {"command-failed"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at loaded objects where the libc refuses."""
        system = ctx.facts.system
        if system.libc != "glibc" or not system.libc_version:
            return
        version = tuple(int(p) for p in system.libc_version.split(".")[:2] if p.isdigit())
        tunable = "glibc.rtld.execstack=2" in system.env.get("GLIBC_TUNABLES", "")
        if version < REFUSES or tunable:
            return
        found = [elf.path for elf in simulation(ctx.view).loaded.values() if elf.execstack]
        if not found:
            return
        dists = sorted({d.name for p in found if (d := ctx.view.dist_at(p)) is not None})
        name = dists[0] if dists else None
        have = ctx.view.versions.get(name or "", "")
        mended = MENDED.get(name or "")
        yield self.finding(
            ctx,
            subject=found[0],
            message=(
                f"{listing(p.rpartition('/')[2] for p in found)}"
                + (f" of {name} {have}" if name else "")
                + f" wants an executable stack, which glibc {system.libc_version} refuses."
            ),
            cause="It was linked so; older glibc granted it, from 2.41 on dlopen does not.",
            fix=(
                installed(ctx, f"{name}>={mended}")
                if mended
                else "A newer version of the package"
                + ("" if ctx.is_here else ", or a base with an older glibc (bookworm)")
            ),
            evidence={"objects": found, "distribution": name, "glibc": system.libc_version},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that say so, or pass through the package."""
        return claims_native(finding, other, ctx, "executable stack")
